//! Print jobs.

use super::{App, AppState, Operator, Problem};
use crate::http::ipp::JobView;
use axum::Json;
use axum::extract::{Path, Query};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use values::JobId;

const JOBS_DEFAULT: usize = 50;
const JOBS_MAX: usize = 1_000;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(jobs)).routes(routes!(release)).routes(routes!(cancel)).routes(routes!(settle))
}

#[derive(Deserialize, IntoParams)]
pub struct JobsQuery {
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub struct Jobs {
    jobs: Vec<JobView>,
}

/// Print jobs, newest first.
#[utoipa::path(get, path = "/api/print/jobs", params(JobsQuery), responses((status = 200, body = Jobs)))]
async fn jobs(app: AppState, _operator: Operator, Query(asked): Query<JobsQuery>) -> Json<Jobs> {
    Json(Jobs { jobs: app.print.jobs(asked.limit.unwrap_or(JOBS_DEFAULT).min(JOBS_MAX)).await })
}

fn id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| policy::Reason::UnknownJob.into())
}

/// Print a held job now, if it is paid for.
#[utoipa::path(post, path = "/api/print/jobs/{job}/release", params(("job" = String, Path)), responses((status = 200, body = JobView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn release(app: AppState, _operator: Operator, Path(job): Path<String>) -> Result<Json<JobView>, Problem> {
    Ok(Json(app.print.release(id(&job)?).await?))
}

/// Cancel a job.
#[utoipa::path(post, path = "/api/print/jobs/{job}/cancel", params(("job" = String, Path)), responses((status = 200, body = JobView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn cancel(app: AppState, _operator: Operator, Path(job): Path<String>) -> Result<Json<JobView>, Problem> {
    Ok(Json(app.print.cancel(id(&job)?).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct SettlePages {
    /// Pages that came out; 0 charges nothing.
    pages: u32,
}

/// Settle a job that needs checking.
#[utoipa::path(post, path = "/api/print/jobs/{job}/settle", params(("job" = String, Path)), request_body = SettlePages, responses((status = 200, body = JobView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn settle(
    app: AppState,
    _operator: Operator,
    Path(job): Path<String>,
    Json(settle): Json<SettlePages>,
) -> Result<Json<JobView>, Problem> {
    Ok(Json(app.print.settle(id(&job)?, settle.pages).await?))
}
