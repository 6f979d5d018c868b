//! Create, list, read, update and delete books.

use actix_web::{
    HttpResponse,
    http::header::LOCATION,
    web::{Data, Json, Path, Query, ServiceConfig, delete, get, post, put, resource},
};
use mongo_actors::{Collection, bson::doc, options::ReturnDocument};
use serde::{Deserialize, Serialize};

use super::failure::Failure;

type Books = Data<Collection<Book>>;
type Answer = Result<HttpResponse, Failure>;

const MOST_ON_A_PAGE: i64 = 100;

/// A book, as it is stored and as it is sent. No two have the same ISBN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) isbn: String,
    pub(crate) title: String,
    pub(crate) copies: u32,
}

/// What can be changed about a book.
#[derive(Debug, Deserialize)]
struct Details {
    title: String,
    copies: u32,
}

/// Which books are listed: those after an ISBN, so that a page costs the same wherever it is.
#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    after: String,
    limit: Option<i64>,
}

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/books").route(post().to(create)).route(get().to(list)))
        .service(resource("/books/{isbn}").route(get().to(read)).route(put().to(update)).route(delete().to(remove)));
}

async fn create(books: Books, Json(book): Json<Book>) -> Answer {
    check_isbn(&book.isbn)?;
    check_title(&book.title)?;
    books.insert_one(&book).await?;
    let location = format!("/books/{}", book.isbn);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(book))
}

async fn list(books: Books, Query(Page { after, limit }): Query<Page>) -> Answer {
    let limit = limit.unwrap_or(MOST_ON_A_PAGE);
    if !(1..=MOST_ON_A_PAGE).contains(&limit) {
        return Err(Failure::Invalid(format!("limit must be from 1 to {MOST_ON_A_PAGE}")));
    }
    let mut found = books.find(doc! { "isbn": { "$gt": after } }).sort(doc! { "isbn": 1 }).limit(limit).await?;
    Ok(HttpResponse::Ok().json(found.to_vec().await?))
}

async fn read(books: Books, isbn: Path<String>) -> Answer {
    answer(books.find_one(doc! { "isbn": isbn.as_str() }).await?)
}

async fn update(books: Books, isbn: Path<String>, Json(Details { title, copies }): Json<Details>) -> Answer {
    check_title(&title)?;
    let change = doc! { "$set": { "title": title, "copies": copies } };
    let update = books.find_one_and_update(doc! { "isbn": isbn.as_str() }, change);
    answer(update.return_document(ReturnDocument::After).await?)
}

async fn remove(books: Books, isbn: Path<String>) -> Answer {
    match books.delete_one(doc! { "isbn": isbn.as_str() }).await?.deleted_count {
        0 => Err(Failure::NotFound),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

fn answer(book: Option<Book>) -> Answer {
    Ok(HttpResponse::Ok().json(book.ok_or(Failure::NotFound)?))
}

fn check_isbn(isbn: &str) -> Result<(), Failure> {
    match isbn.len() == 13 && isbn.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(()),
        false => Err(Failure::Invalid("isbn must have 13 digits and nothing else".into())),
    }
}

fn check_title(title: &str) -> Result<(), Failure> {
    match title.trim().is_empty() {
        true => Err(Failure::Invalid("title must not be empty".into())),
        false => Ok(()),
    }
}
