use pgwarrant_wire::stream::{Socket, Stream};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::settings::Login;

const AGE: Duration = Duration::from_secs(60);

fn packet(role: &str, application: &str) -> Packet {
    Packet {
        login: Login { role: role.to_owned(), password: None },
        passed: vec![("application_name".to_owned(), application.to_owned())],
    }
}

fn warm() -> Warm {
    Warm::new(Settings { spares: 4, age: AGE })
}

/// A spare, and the server's end of it.
async fn spare(packet: Packet) -> (Spare, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (theirs, _) = listener.accept().await.unwrap();
    let introduction = Introduction { parameters: Vec::new(), notices: Vec::new(), cancel: None };
    let parked = Stream::Plain(Socket::tcp(ours).unwrap()).park().unwrap();
    (Spare { packet: Arc::new(packet), opened: Instant::now(), parked, introduction }, theirs)
}

#[tokio::test]
async fn a_spare_is_for_its_packet_alone_and_for_one_login() {
    let warm = warm();
    let (spare, _server) = spare(packet("app", "psql")).await;
    assert!(warm.put(spare).is_none());
    let password = Some(Secret::new("another"));
    let mut other_password = packet("app", "psql");
    other_password.login.password = password;
    let mut more = packet("app", "psql");
    more.passed.push(("geqo".to_owned(), "off".to_owned()));
    for other in [packet("other", "psql"), packet("app", "psql "), other_password, more] {
        assert!(warm.take(&other).is_none(), "{other:?}");
    }
    assert!(warm.take(&packet("app", "psql")).is_some());
    assert!(warm.take(&packet("app", "psql")).is_none());
}

#[tokio::test]
async fn a_spare_that_is_old_closed_or_spoken_to_is_not_handed_out() {
    let warm = warm();
    let psql = packet("app", "psql");
    let (mut old, _server) = spare(psql.clone()).await;
    old.opened = Instant::now().checked_sub(AGE).unwrap();
    let (closed, server) = spare(psql.clone()).await;
    drop(server);
    let (told, mut server) = spare(psql.clone()).await;
    server.write_all(b"N\0\0\0\x05\0").await.unwrap();
    let (good, _server) = spare(psql.clone()).await;
    while closed.parked.is_quiet() || told.parked.is_quiet() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for spare in [old, closed, told, good] {
        assert!(warm.put(spare).is_none());
    }
    assert!(warm.take(&psql).is_some(), "the last is good");
    assert!(warm.pool().spares.is_empty() && warm.take(&psql).is_none());
}

#[tokio::test]
async fn what_is_not_fit_or_not_asked_for_any_more_leaves() {
    let warm = warm();
    let (psql, other) = (packet("app", "psql"), packet("app", "other"));
    for _ in 0..4 {
        warm.missed(psql.clone());
    }
    let mut servers = Vec::new();
    for (index, packet) in [&other, &psql, &psql, &psql].into_iter().enumerate() {
        let (mut spare, server) = spare(packet.clone()).await;
        if index == 3 {
            spare.opened = Instant::now().checked_sub(AGE).unwrap();
        }
        assert!(warm.put(spare).is_none());
        servers.push(server);
    }
    let due = warm.due(Instant::now());
    assert_eq!((due.leaving.len(), due.wanted.len()), (2, 0), "four logins are worth two spares");
    assert!(due.next.is_some_and(|next| next <= Instant::now() + LOOK));

    let later = Instant::now() + AGE;
    let due = warm.due(later);
    assert_eq!((due.leaving.len(), due.wanted.len()), (2, 2), "too old, and due again");
    let much_later = Instant::now() + AGE * MEMORY * 3;
    let due = warm.due(much_later);
    assert!(due.wanted.is_empty() && due.next.is_none(), "nobody has asked for long");
}

#[tokio::test]
async fn spares_that_gave_way_or_were_refused_are_not_replaced_at_once() {
    let warm = warm();
    let psql = packet("app", "psql");
    for _ in 0..4 {
        warm.missed(psql.clone());
    }
    let (held, _server) = spare(psql.clone()).await;
    assert!(warm.put(held).is_none());
    assert_eq!(warm.give_way().len(), 1);
    let (late, _late_server) = spare(psql.clone()).await;
    assert!(warm.put(late).is_some(), "one that was being opened meanwhile");
    let now = Instant::now();
    assert!(warm.due(now).wanted.is_empty());
    let due = warm.due(now + PAUSE).wanted;
    assert_eq!(due.len(), 2);
    warm.refused(&due[0]);
    assert!(warm.due(now + PAUSE).wanted.is_empty(), "the server does not take it any more");
}

#[tokio::test]
async fn none_are_kept_where_none_are_wanted_or_at_the_end() {
    let none = Warm::new(Settings { spares: 0, age: AGE });
    let closed = warm();
    closed.close().await;
    for warm in [none, closed] {
        for _ in 0..4 {
            warm.missed(packet("app", "psql"));
        }
        assert!(warm.due(Instant::now()).wanted.is_empty());
        let (late, _server) = spare(packet("app", "psql")).await;
        assert!(warm.put(late).is_some());
    }
}

#[test]
fn spares_are_shared_out_as_packets_are_asked_for() {
    for (times, spares, expected) in [
        (&[][..], 4, &[][..]),
        (&[1, 1], 4, &[0, 0]),
        (&[2], 4, &[1]),
        (&[4, 1], 4, &[2, 0]),
        (&[100], 4, &[4]),
        (&[20, 10], 4, &[3, 1]),
        (&[1000, 5, 5], 4, &[4, 0, 0]),
        (&[2, 2, 2, 2, 2, 2], 4, &[0, 0, 1, 1, 1, 1]),
        (&[u32::MAX, u32::MAX], 0, &[0, 0]),
    ] {
        assert_eq!(allot(times, spares), expected, "{times:?}");
    }
}

#[test]
fn whoever_makes_up_packets_fills_neither_the_memory_nor_the_place_of_what_is_asked_for_often() {
    let warm = warm();
    for _ in 0..100 {
        warm.missed(packet("app", "pool"));
    }
    for number in 0..1000 {
        warm.missed(packet("app", &format!("made up {number}")));
        warm.missed(packet("app", &format!("made up {number}")));
    }
    let due = warm.due(Instant::now());
    assert_eq!(warm.pool().packets.len(), PACKETS);
    assert_eq!(due.wanted.len(), 4);
    assert!(due.wanted.iter().all(|wanted| **wanted == packet("app", "pool")));
}
