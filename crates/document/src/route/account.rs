//! Accounts, sessions and tokens.

use rondo_contract::problem::ProblemCode;
use rondo_domain::access::Scope;
use serde_json::json;

use super::{ACCOUNTS, path};
use crate::operation::{Access, Operation};
use crate::schema::{self, named};

pub fn all() -> Vec<Operation> {
    let mut operations = sessions();
    operations.extend(recovery());
    operations.extend(account());
    operations
}

fn post(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(ACCOUNTS, Access::Open, "post", path, id, summary)
}

/// A page that sends the token of its link when the reader presses its button.
fn page(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let html = Some(("text/html", json!({"type": "string"})));
    Operation::new(ACCOUNTS, Access::Open, "get", path, id, summary).answers_with(
        200,
        "A page",
        html,
        &[],
    )
}

fn sessions() -> Vec<Operation> {
    vec![
        post("/api/auth/register", "register", "Create an account")
            .describe("Limited per address and in total, whether or not it succeeds.")
            .body(named("Registration"))
            .answers(201, "The account with a session", named("Session"))
            .problems(&[
                ProblemCode::RegistrationClosed,
                ProblemCode::InvitationInvalid,
                ProblemCode::EmailTaken,
            ]),
        Operation::new(
            ACCOUNTS,
            Access::Scope(Scope::Admin),
            "post",
            "/api/auth/invitations",
            "createInvitation",
            "Create an invitation",
        )
        .describe("For servers where registration needs an invitation. Valid once, for a week.")
        .body(named("InvitationCreate"))
        .answers(201, "The invitation, shown only once", named("Invitation")),
        post("/api/auth/login", "login", "Log in")
            .body(named("Credentials"))
            .answers(200, "A session", named("Session"))
            .problems(&[ProblemCode::InvalidCredentials]),
        post("/api/auth/refresh", "refreshSession", "Refresh a session")
            .describe("A refresh token is valid for one use. A second use ends the whole session.")
            .body(named("RefreshToken"))
            .answers(200, "A new pair of tokens", named("TokenPair"))
            .problems(&[ProblemCode::Unauthenticated]),
        post("/api/auth/logout", "logout", "End a session")
            .body(named("RefreshToken"))
            .answers_empty(204, "The session has ended"),
        Operation::new(
            ACCOUNTS,
            Access::Login,
            "get",
            "/api/auth/sessions",
            "listSessions",
            "List the caller's sessions",
        )
        .answers(200, "The one used last first", schema::list_of("ListedSession")),
        Operation::new(
            ACCOUNTS,
            Access::Login,
            "delete",
            "/api/auth/sessions/{session_id}",
            "deleteSession",
            "End one of the caller's sessions",
        )
        .describe("Its refresh token works no more. Its access token works until it expires.")
        .parameter(path("session_id", "The session.", schema::event::uuid()))
        .answers_empty(204, "The session has ended")
        .problems(&[ProblemCode::NotFound]),
    ]
}

fn recovery() -> Vec<Operation> {
    vec![
        post("/api/auth/verify", "verifyEmail", "Verify an e-mail address with a mailed token")
            .describe(
                "With an access token of the account, only verifies the address. Without one, also ends \
                 older sessions, deletes API tokens and disables webhooks, because somebody without \
                 the address may have created the account.",
            )
            .body(named("MailedToken"))
            .answers_empty(204, "The address is verified"),
        page("/api/auth/verify", "getVerifyPage", "The page that links in earlier mails open"),
        Operation::new(
            ACCOUNTS,
            Access::Login,
            "post",
            "/api/auth/verify/resend",
            "resendVerification",
            "Mail the verification again",
        )
        .no_body()
        .answers_empty(202, "Mailed, unless the address is verified"),
        post("/api/auth/password/forgot", "forgotPassword", "Mail a token for a new password")
            .body(named("EmailOnly"))
            .answers_empty(202, "Mailed, if the account exists"),
        post("/api/auth/password/reset", "resetPassword", "Set a new password with a mailed token")
            .describe(
                "Ends every session of the account, deletes its API tokens, disables its webhooks and \
                 mails a notice.",
            )
            .body(named("PasswordReset"))
            .answers_empty(204, "The new password is set"),
        page("/api/auth/password/reset", "getResetPage", "The page that links in earlier mails open"),
        Operation::new(
            ACCOUNTS,
            Access::Login,
            "post",
            "/api/auth/password/change",
            "changePassword",
            "Change the password",
        )
        .describe(
            "Ends every session, including this one, and returns a new one. API tokens and webhooks \
             stay. A wrong password counts as a failed login. Mails a notice.",
        )
        .body(named("PasswordChange"))
        .answers(200, "A new pair of tokens", named("TokenPair")),
    ]
}

fn account() -> Vec<Operation> {
    let operation = |method, path, id, summary| {
        Operation::new(ACCOUNTS, Access::Login, method, path, id, summary)
    };
    vec![
        Operation::new(
            ACCOUNTS,
            Access::Token,
            "get",
            "/api/auth/me",
            "getMe",
            "Get the token's user",
        )
        .answers(200, "The user", named("User")),
        operation("patch", "/api/auth/me", "changeMe", "Change the token's user")
            .merge_patch(named("UserPatch"))
            .answers(200, "The user", named("User")),
        operation("get", "/api/auth/tokens", "listApiTokens", "List personal API tokens").answers(
            200,
            "Newest first",
            schema::list_of("ApiToken"),
        ),
        operation("post", "/api/auth/tokens", "createApiToken", "Create a personal API token")
            .describe("Mails a notice.")
            .body(named("ApiTokenCreate"))
            .answers(201, "The token, shown only once", named("NewApiToken"))
            .problems(&[ProblemCode::TooManyTokens]),
        operation(
            "delete",
            "/api/auth/tokens/{token_id}",
            "deleteApiToken",
            "Revoke a personal API token",
        )
        .parameter(path("token_id", "The token's id.", json!({"type": "integer", "minimum": 1})))
        .answers_empty(204, "Revoked")
        .problems(&[ProblemCode::NotFound]),
    ]
}
