//! Where the driver runs.

/// The operating system, as the `os` field of the handshake reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperatingSystem {
    /// What kind it is: `Linux`, `Darwin`, `Windows`, ...; `unknown` when that cannot be found out.
    pub kind: String,
    /// The distribution or product.
    pub name: Option<String>,
    /// The machine's architecture.
    pub architecture: Option<String>,
    /// The version of the system.
    pub version: Option<String>,
}

impl OperatingSystem {
    /// What is known when the driver is compiled: kind and architecture.
    pub fn of_build() -> Self {
        let kind = match std::env::consts::OS {
            "" => "unknown",
            "linux" | "android" => "Linux",
            "macos" | "ios" => "Darwin",
            "windows" => "Windows",
            "freebsd" | "netbsd" | "openbsd" | "dragonfly" => "BSD",
            other => other,
        };
        let architecture = Some(std::env::consts::ARCH).filter(|it| !it.is_empty()).map(str::to_owned);
        Self { kind: kind.to_owned(), name: None, architecture, version: None }
    }

    /// Sets the distribution or product.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }
}

/// A function-as-a-service platform.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaasEnvironment {
    /// Its name in the handshake specification.
    pub name: &'static str,
    /// The time a function may run, in seconds.
    pub timeout_sec: Option<i32>,
    /// The memory a function may use, in MiB.
    pub memory_mb: Option<i32>,
    /// The region it runs in.
    pub region: Option<String>,
}

/// What the handshake reports about the machine. Detection only looks at what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Environment {
    /// The operating system.
    pub os: OperatingSystem,
    /// The function-as-a-service platform.
    pub faas: Option<FaasEnvironment>,
    /// The container runtime.
    pub container_runtime: Option<&'static str>,
    /// The container orchestrator.
    pub container_orchestrator: Option<&'static str>,
}

impl Environment {
    /// The file whose existence tells that the process runs in Docker.
    pub const DOCKER_FILE: &'static str = "/.dockerenv";

    /// Nothing but an operating system.
    pub fn new(os: OperatingSystem) -> Self {
        Self { os, faas: None, container_runtime: None, container_orchestrator: None }
    }

    /// Judges by environment variables, which `variable` looks up, and by whether [`DOCKER_FILE`](Self::DOCKER_FILE)
    /// exists.
    ///
    /// Empty variables count as absent, and so do numbers that are not 32-bit integers. When the variables of several
    /// platforms are there, none is reported, except that Vercel goes before AWS, on which it runs.
    pub fn detect(os: OperatingSystem, variable: impl Fn(&str) -> Option<String>, docker_file_exists: bool) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        Self {
            os,
            faas: detect_faas(&variable),
            container_runtime: docker_file_exists.then_some("docker"),
            container_orchestrator: variable("KUBERNETES_SERVICE_HOST").map(|_| "kubernetes"),
        }
    }
}

fn detect_faas(variable: &impl Fn(&str) -> Option<String>) -> Option<FaasEnvironment> {
    let set = |name: &str| variable(name).is_some();
    let number = |name: &str| variable(name).and_then(|value| value.parse().ok());
    let vercel = set("VERCEL");
    let aws = !vercel
        && (set("AWS_LAMBDA_RUNTIME_API")
            || variable("AWS_EXECUTION_ENV").is_some_and(|value| value.starts_with("AWS_Lambda_")));
    let azure = set("FUNCTIONS_WORKER_RUNTIME");
    let gcp = set("K_SERVICE") || set("FUNCTION_NAME");
    let platform = |name| FaasEnvironment { name, timeout_sec: None, memory_mb: None, region: None };
    match (vercel, aws, azure, gcp) {
        (true, false, false, false) => {
            Some(FaasEnvironment { region: variable("VERCEL_REGION"), ..platform("vercel") })
        }
        (false, true, false, false) => Some(FaasEnvironment {
            region: variable("AWS_REGION"),
            memory_mb: number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
            ..platform("aws.lambda")
        }),
        (false, false, true, false) => Some(platform("azure.func")),
        (false, false, false, true) => Some(FaasEnvironment {
            region: variable("FUNCTION_REGION"),
            memory_mb: number("FUNCTION_MEMORY_MB"),
            timeout_sec: number("FUNCTION_TIMEOUT_SEC"),
            ..platform("gcp.func")
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = (&'static str, Option<i32>, Option<i32>, Option<String>);

    fn detect(variables: &[(&str, &str)]) -> Environment {
        let lookup =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Environment::detect(OperatingSystem::of_build(), lookup, false)
    }

    fn faas(variables: &[(&str, &str)]) -> Option<Fields> {
        detect(variables).faas.map(|it| (it.name, it.timeout_sec, it.memory_mb, it.region))
    }

    #[test]
    fn the_cases_of_the_specification() {
        let aws = [
            ("AWS_EXECUTION_ENV", "AWS_Lambda_java8"),
            ("AWS_REGION", "us-east-2"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
        ];
        assert_eq!(faas(&aws), Some(("aws.lambda", None, Some(1024), Some("us-east-2".to_owned()))));
        assert_eq!(faas(&[("FUNCTIONS_WORKER_RUNTIME", "node")]), Some(("azure.func", None, None, None)));
        let gcp = [
            ("K_SERVICE", "servicename"),
            ("FUNCTION_MEMORY_MB", "1024"),
            ("FUNCTION_TIMEOUT_SEC", "60"),
            ("FUNCTION_REGION", "us-central1"),
        ];
        assert_eq!(faas(&gcp), Some(("gcp.func", Some(60), Some(1024), Some("us-central1".to_owned()))));
        let vercel = [("VERCEL", "1"), ("VERCEL_REGION", "cdg1")];
        assert_eq!(faas(&vercel), Some(("vercel", None, None, Some("cdg1".to_owned()))));
    }

    #[test]
    fn several_platforms_cancel_each_other_except_vercel_on_aws() {
        let runtime = ("AWS_LAMBDA_RUNTIME_API", "x");
        assert_eq!(faas(&[runtime, ("FUNCTIONS_WORKER_RUNTIME", "node")]), None);
        assert_eq!(faas(&[("K_SERVICE", "x"), ("FUNCTIONS_WORKER_RUNTIME", "node")]), None);
        assert_eq!(faas(&[("VERCEL", "1"), ("FUNCTION_NAME", "f")]), None);
        assert_eq!(faas(&[runtime, ("VERCEL", "1")]).unwrap().0, "vercel");
    }

    #[test]
    fn values_that_do_not_fit_are_left_out() {
        let long = [("AWS_LAMBDA_RUNTIME_API", "x"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "big")];
        assert_eq!(faas(&long), Some(("aws.lambda", None, None, None)));
        assert_eq!(faas(&[("AWS_EXECUTION_ENV", "EC2")]), None);
        assert_eq!(faas(&[("VERCEL", "")]), None);
        let large = [("K_SERVICE", "x"), ("FUNCTION_MEMORY_MB", "4294967296")];
        assert_eq!(faas(&large), Some(("gcp.func", None, None, None)));
    }

    #[test]
    fn containers_are_reported_independently() {
        let environment = detect(&[("KUBERNETES_SERVICE_HOST", "1"), ("VERCEL", "1")]);
        assert_eq!(environment.container_orchestrator, Some("kubernetes"));
        assert_eq!(environment.container_runtime, None);
        assert!(environment.faas.is_some());
        let docker = Environment::detect(OperatingSystem::of_build(), |_| None, true);
        assert_eq!((docker.container_runtime, docker.container_orchestrator), (Some("docker"), None));
    }
}
