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

/// A page for people, which sends the token of its link on when its reader presses the button.
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
        post("/api/auth/register", "register", "Make an account")
            .describe("Limited by address and in all, whatever comes of it.")
            .body(named("Registration"))
            .answers(201, "The account, logged in", named("Session"))
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
            "Invite somebody to register",
        )
        .describe("Where registering takes an invitation. It is good once, for a week.")
        .body(named("InvitationCreate"))
        .answers(201, "The invitation, shown this once", named("Invitation")),
        post("/api/auth/login", "login", "Log in")
            .body(named("Credentials"))
            .answers(200, "A session", named("Session"))
            .problems(&[ProblemCode::InvalidCredentials]),
        post("/api/auth/refresh", "refreshSession", "A new pair of tokens for a refresh token")
            .describe("A refresh token is good for one use; a used one ends the whole session.")
            .body(named("RefreshToken"))
            .answers(200, "The new pair", named("TokenPair"))
            .problems(&[ProblemCode::Unauthenticated]),
        post("/api/auth/logout", "logout", "End a session")
            .body(named("RefreshToken"))
            .answers_empty(204, "The session has ended"),
    ]
}

fn recovery() -> Vec<Operation> {
    vec![
        post("/api/auth/verify", "verifyEmail", "Verify an e-mail address by a mailed token")
            .describe(
                "With an access token of the account, nothing else happens. Without, whatever is older \
                 ends: sessions, API tokens and webhooks may be those of somebody who made the account \
                 without having the address.",
            )
            .body(named("MailedToken"))
            .answers_empty(204, "The address is verified"),
        page("/api/auth/verify", "getVerifyPage", "The page behind the link in the mail"),
        Operation::new(
            ACCOUNTS,
            Access::Login,
            "post",
            "/api/auth/verify/resend",
            "resendVerification",
            "Mail the token again",
        )
        .no_body()
        .answers_empty(202, "Mailed, if there is something to verify"),
        post("/api/auth/password/forgot", "forgotPassword", "Mail a token to set a new password")
            .body(named("EmailOnly"))
            .answers_empty(202, "Mailed, if there is such an account"),
        post("/api/auth/password/reset", "resetPassword", "Set a new password by a mailed token")
            .describe(
                "Ends every session of the account, deletes its API tokens and disables its webhooks. \
                 A mail tells of it.",
            )
            .body(named("PasswordReset"))
            .answers_empty(204, "The new password is set"),
        page("/api/auth/password/reset", "getResetPage", "The page behind the link in the mail"),
        Operation::new(
            ACCOUNTS,
            Access::Login,
            "post",
            "/api/auth/password/change",
            "changePassword",
            "Change the password",
        )
        .describe(
            "Ends every session, this one too, and answers the one that goes on. API tokens and \
             webhooks stay. A wrong password counts as one of a login. A mail tells of it.",
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
        Operation::new(ACCOUNTS, Access::Token, "get", "/api/auth/me", "getMe", "The token's user")
            .answers(200, "The user", named("User")),
        operation("patch", "/api/auth/me", "changeMe", "Change the token's user")
            .merge_patch(named("UserPatch"))
            .answers(200, "The user", named("User")),
        operation("get", "/api/auth/tokens", "listApiTokens", "Personal API tokens").answers(
            200,
            "Newest first",
            schema::list_of("ApiToken"),
        ),
        operation("post", "/api/auth/tokens", "createApiToken", "Make a personal API token")
            .describe("A mail tells of it.")
            .body(named("ApiTokenCreate"))
            .answers(201, "The token, shown this once", named("NewApiToken"))
            .problems(&[ProblemCode::TooManyTokens]),
        operation(
            "delete",
            "/api/auth/tokens/{token_id}",
            "deleteApiToken",
            "Revoke a personal API token",
        )
        .parameter(path("token_id", "The token's id.", json!({"type": "integer", "minimum": 1})))
        .answers_empty(204, "It is refused from now on")
        .problems(&[ProblemCode::NotFound]),
    ]
}
