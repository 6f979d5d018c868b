use super::*;
use crate::record::FiredFault;

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn run(seed: u64, against: Against) -> RunRecord {
    let mut run = RunRecord::new(seed, against);
    let fault = |role: &str, kind: &str| FiredFault { role: role.into(), kind: kind.into(), at: milliseconds(5) };
    run.faults = vec![fault("topology", "panic"), fault("network", "cut"), fault("network", "cut")];
    run.operations = 40 + seed;
    run.outcomes = [("ok".to_owned(), 38), ("failed: unknown".to_owned(), 2)].into();
    run.recoveries = (1..=5).map(|step| milliseconds(step * 100 * (seed + 1))).collect();
    (run.simulated, run.elapsed) = (milliseconds(60_000), milliseconds(500));
    run
}

/// Three simulated runs and a real one, of which one simulated one is bad.
fn report() -> Report {
    let mut runs: Vec<_> = (0..3).rev().map(|seed| run(seed, Against::Simulation)).collect();
    runs[0].violations = vec!["the write \"w-1\" was acknowledged & is <lost>".to_owned(), "a second".to_owned()];
    runs.push(run(7, Against::ReplicaSet));
    Report::new(runs, milliseconds(2_500))
}

#[test]
fn percentiles_are_durations_that_occurred() {
    let durations: Vec<_> = (1..=200).rev().map(milliseconds).collect();
    let percentiles = Percentiles::of(&durations);
    let expected = [100, 180, 198, 200].map(milliseconds);
    assert_eq!([percentiles.p50, percentiles.p90, percentiles.p99, percentiles.max], expected);
    assert_eq!(percentiles.count, 200);
    let one = Percentiles::of(&[milliseconds(7)]);
    assert_eq!([one.p50, one.p90, one.p99, one.max], [milliseconds(7); 4]);
    assert_eq!(Percentiles::of(&[]), Percentiles::default());
    // Of three, the second is the median.
    assert_eq!(Percentiles::of(&[3, 1, 2].map(milliseconds)).p50, milliseconds(2));
}

#[test]
fn runs_add_up_by_what_they_went_against() {
    let report = report();
    let simulated = &report.summaries[&Against::Simulation];
    assert_eq!((simulated.runs, simulated.bad_runs, simulated.operations), (3, 1, 123));
    assert_eq!(simulated.outcomes["ok"], 114);
    assert_eq!(simulated.faults["network"]["cut"], 6);
    assert_eq!(simulated.fault_count(), 9);
    assert_eq!(simulated.recovery.count, 15);
    assert_eq!(simulated.recovery.max, milliseconds(1500));
    assert_eq!((simulated.simulated, simulated.elapsed), (milliseconds(180_000), milliseconds(1_500)));
    assert_eq!(report.summaries[&Against::ReplicaSet].runs, 1);
    assert_eq!(report.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [0, 1, 2, 7]);
}

#[test]
fn a_violation_says_how_to_see_it_again() {
    let report = report();
    assert_eq!((report.is_good(), report.status()), (false, 1));
    assert_eq!(report.violations.len(), 2);
    let violation = &report.violations[0];
    assert_eq!((violation.seed, violation.against), (2, Against::Simulation));
    assert_eq!(violation.replay, "cargo run --release -p mongo-actors-chaos -- --replay 2 --only simulation",);
    let good = Report::new(vec![run(1, Against::ReplicaSet)], Duration::ZERO);
    assert_eq!((good.is_good(), good.status()), (true, 0));
}

#[test]
fn the_text_has_the_facts() {
    let text = report().text();
    for fact in [
        "4 runs, of which 1 broke promises (2 violations)",
        "Campaign of 2.5 s",
        "runs        3 in 1.5 s, which were 3.0 min",
        "operations  123",
        "114  ok",
        "6  network: cut",
        "15 times: p50",
        "was acknowledged & is <lost>",
        "again: cargo run --release -p mongo-actors-chaos -- --replay 2 --only simulation",
    ] {
        assert!(text.contains(fact), "{fact:?} is not in\n{text}");
    }
    let good = Report::new(Vec::new(), Duration::ZERO).text();
    assert!(good.contains("0 runs, every promise was kept") && !good.contains("Violations"), "{good}");
}

#[test]
fn the_json_is_the_report() {
    let report = report();
    let read: Report = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(read, report);
}

#[test]
fn the_page_stands_by_itself_and_suits_light_and_dark() {
    let page = report().page();
    for outside in ["http://", "https://", "<script", "<link", "src=", "@import", "url("] {
        let allowed = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!allowed.contains(outside), "{outside}");
    }
    for fact in [
        "<!DOCTYPE html>",
        "prefers-color-scheme: dark",
        "4 runs, of which 1 broke promises",
        "was acknowledged &amp; is &lt;lost&gt;",
        "--replay 2 --only simulation",
        "Real replica set",
        "network",
        "seconds until service was back",
    ] {
        assert!(page.contains(fact), "{fact:?} is not in\n{page}");
    }
    // Two plots of the simulation, and one of the single run against a replica set.
    assert_eq!(page.matches("<svg").count(), 3);
    for ink in [plots::INK, plots::FAINT, plots::DATA] {
        assert!(page.contains(&format!("=\"{ink}\"")), "no plot uses {ink}");
    }
    // A plot has no colour of its own.
    let colours =
        page.split("<svg").skip(1).flat_map(|plot| plot.split("</svg>").next().unwrap().split("=\"#").skip(1));
    for colour in colours {
        assert!(
            colour.starts_with("01010") || colour.starts_with("02020") || colour.starts_with("03030"),
            "{colour:.6}"
        );
    }
}

#[test]
fn the_files_are_written_where_they_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("deep/inside");
    let files = report().write(&inner).unwrap();
    assert_eq!(files, ["report.txt", "report.json", "report.html"].map(|name| inner.join(name)));
    assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() > 500));

    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let error = report().write(&blocked).unwrap_err();
    assert!(error.to_string().contains(blocked.to_str().unwrap()), "{error}");
}
