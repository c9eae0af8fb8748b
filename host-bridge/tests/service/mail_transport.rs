//! The way to a mail server that asks for TLS and a password, or fails.

use std::time::Duration;

use host_bridge::mail_transport::{Authority, MailTransport, Outcome};
use lettre::Message;
use rondo_testkit::certificate::Certificate;
use rondo_testkit::smtp::{Demand, Fault, SmtpServer};
use rondo_testkit::wait::eventually;

/// Mails one after another.
const MAILS: usize = 8;
const SOON: Duration = Duration::from_secs(20);

fn message() -> Message {
    let builder = Message::builder().from("rondo@example.com".parse().unwrap());
    builder.to("ada@example.org".parse().unwrap()).subject("s").body("b".to_owned()).unwrap()
}

/// A server with TLS and a password.
async fn strict(is_implicit: bool) -> (SmtpServer, String) {
    let certificate = Certificate::of("localhost");
    let authority = certificate.authority.clone();
    let credentials = Some(("ada".to_owned(), "p@ss:word".to_owned()));
    let demand = Demand { certificate: Some(certificate), is_implicit, credentials };
    (SmtpServer::demanding(demand).await, authority)
}

fn transport(url: &str, authority: &str) -> MailTransport {
    MailTransport::smtp(url, Some(Authority::read(authority).unwrap())).unwrap()
}

/// Addresses of a server by each of the ways to TLS, with a password.
fn url(server: &SmtpServer, host: &str, password: &str, is_implicit: bool) -> String {
    let port = server.port();
    if is_implicit {
        format!("smtps://ada:{password}@{host}:{port}")
    } else {
        format!("smtp://ada:{password}@{host}:{port}?tls=required")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_go_by_tls_with_a_password_over_connections_that_stay() {
    for is_implicit in [false, true] {
        let (server, authority) = strict(is_implicit).await;
        let transport =
            transport(&url(&server, "localhost", "p%40ss%3Aword", is_implicit), &authority);
        for _ in 0..MAILS {
            assert_eq!(transport.send("m", message()).await, Outcome::Sent, "{is_implicit}");
        }
        assert_eq!(server.mails().len(), MAILS, "{is_implicit}");
        // A connection goes back into the pool a moment after its mail.
        assert!(server.connections() <= MAILS / 2, "{} connections", server.connections());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_proves_nothing_gets_no_mail_and_no_password() {
    let strangers = Certificate::of("localhost").authority;
    for is_implicit in [false, true] {
        let (server, authority) = strict(is_implicit).await;
        let untrusted =
            MailTransport::smtp(&url(&server, "localhost", "x", is_implicit), None).unwrap();
        let stranger = transport(&url(&server, "localhost", "x", is_implicit), &strangers);
        let elsewhere = transport(&url(&server, "127.0.0.1", "x", is_implicit), &authority);
        for (transport, reason) in [
            (untrusted, "UnknownIssuer"),
            (stranger, "BadSignature"),
            (elsewhere, "not valid for name"),
        ] {
            match transport.send("m", message()).await {
                Outcome::Later(error) => {
                    assert!(error.contains("certificate") && error.contains(reason), "{error}");
                }
                other => panic!("{reason}: {other:?}"),
            }
        }
        assert!(server.mails().is_empty());
    }
    // One that offers no TLS where TLS is asked for.
    let server = SmtpServer::start().await;
    let transport = MailTransport::smtp(&format!("{}?tls=required", server.url()), None).unwrap();
    let outcome = transport.send("m", message()).await;
    assert!(!matches!(outcome, Outcome::Sent), "{outcome:?}");
    assert!(server.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_no_fault_of_the_mail() {
    let (server, authority) = strict(true).await;
    let transport = transport(&url(&server, "localhost", "wrong", true), &authority);
    match transport.send("m", message()).await {
        Outcome::Later(error) => assert!(error.contains("535"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_in_the_middle_harms_only_that_mail() {
    for fault in [Fault::Hang, Fault::DropInData, Fault::Data("451 4.3.0 later".to_owned())] {
        let server = SmtpServer::start().await;
        server.fail(&fault, 1);
        let transport = MailTransport::smtp(&server.url(), None).unwrap();
        let harmed = tokio::spawn({
            let transport = transport.clone();
            async move { transport.send("harmed", message()).await }
        });
        eventually("the fault", SOON, async || match server.faults_left() {
            0 => Ok(()),
            left => Err(left),
        })
        .await;
        for _ in 0..3 {
            assert_eq!(transport.send("m", message()).await, Outcome::Sent, "{fault:?}");
        }
        if fault == Fault::Hang {
            assert!(!harmed.is_finished(), "the others have not waited for it");
            harmed.abort();
        } else {
            let outcome = harmed.await.unwrap();
            assert!(matches!(outcome, Outcome::Later(_)), "{fault:?}: {outcome:?}");
        }
        assert_eq!(server.mails().len(), 3, "{fault:?}");
    }
}

#[test]
fn what_is_no_authority_is_refused() {
    for pem in ["", "hunter2", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"] {
        assert!(Authority::read(pem).is_err(), "{pem}");
    }
    let authority = Authority::read(&Certificate::of("localhost").authority).unwrap();
    let refused = MailTransport::smtp("smtp://127.0.0.1:25", Some(authority)).err().unwrap();
    assert!(refused.to_string().contains("does not ask for TLS"), "{refused}");
}
