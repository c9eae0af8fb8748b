//! The number of a bridge: the lowest that no other has, held by an advisory lock, so that whoever comes after
//! one that was killed takes its number and its place in the consumer groups.

use rondo_database::Session;

/// Key of the first number's advisory lock.
const MEMBER_LOCK_BASE: i64 = 0x0072_6f6e_646f_2000;
/// Bridges on one database.
const MEMBERS_MAX: u16 = 1_000;
const CLAIM: &str = include_str!("../../../sql/member_claim.sql");

/// Claims `preferred` or else the lowest free number, for as long as the session lives.
///
/// # Errors
/// When the database fails, or there are [`MEMBERS_MAX`] bridges.
pub async fn claim(session: &Session, preferred: Option<u16>) -> anyhow::Result<u16> {
    for member in preferred.into_iter().chain(0..MEMBERS_MAX) {
        let key = MEMBER_LOCK_BASE + i64::from(member);
        if session.query_one(CLAIM, &[&key]).await?.get(0) {
            return Ok(member);
        }
    }
    anyhow::bail!("{MEMBERS_MAX} bridges run on this database already")
}
