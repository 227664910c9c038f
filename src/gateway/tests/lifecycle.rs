//! Sockets and connections from a reload to a drain.

use super::*;

#[test]
fn draining_answers_what_is_in_flight_and_refuses_the_rest() {
    let server = Server::start();
    assert!(server.admin("/readyz").starts_with("HTTP/1.1 200 "));
    let mut idle = server.connect();
    idle.get("/app/hello");
    let mut busy = server.connect();
    busy.write("GET /app/gate HTTP/1.1\r\nhost: test\r\n\r\n");
    eventually("the gate is asked", || server.script.arrived() == 2);
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| server.drain(NEVER));
        eventually("not ready", || server.admin("/readyz").starts_with("HTTP/1.1 503 "));
        assert!(server.admin("/healthz").starts_with("HTTP/1.1 200 "));
        eventually("refused", || TcpStream::connect(server.address).is_err());
        assert_eq!(idle.rest(), "");
        server.script.release.notify_one();
        let response = busy.response();
        assert!(response.contains("connection: close\r\n") && response.ends_with("released"), "{response}");
        assert!(drained.join().unwrap());
    });
}
#[test]
fn draining_under_load_answers_every_connection_it_accepts() {
    let server = Server::start();
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, answered) = (&server, &answered);
            // Half of them ask for a new connection each time, so that some are in the kernel's queue at the end.
            let close = if client % 2 == 0 { "connection: close\r\n" } else { "" };
            scope.spawn(move || {
                while let Some(mut client) = Client::try_connect(server.address) {
                    loop {
                        client.write(&format!("GET /app/hello HTTP/1.1\r\nhost: test\r\n{close}\r\n"));
                        let response = client.response();
                        assert!(response.ends_with("hello"), "{response}");
                        answered.fetch_add(1, Relaxed);
                        if response.contains("connection: close\r\n") {
                            break;
                        }
                    }
                }
            });
        }
        eventually("all are busy", || answered.load(Relaxed) > 500);
        assert!(server.drain(NEVER));
    });
}
#[test]
fn a_drain_over_its_limit_cuts_what_is_left() {
    let server = Server::start();
    let mut client = server.connect();
    client.write("GET /app/never HTTP/1.1\r\nhost: test\r\n\r\n");
    eventually("the app is asked", || server.script.arrived() == 1);
    assert!(!server.drain(SOON));
    assert_eq!(client.rest(), "");
    assert_eq!(server.script.aborts().len(), 1);
}
#[test]
fn a_reload_keeps_sockets_and_connections_that_stay() {
    let server = Server::start();
    let mut kept = server.connect();
    kept.get("/app/hello");
    let mut plan = server.plan.clone();
    // Another listener comes first: the one that stays has another index now.
    let new = Listener { name: "new".to_owned(), address: free_address(), ..listener() };
    let new_address = new.address;
    plan.listeners.insert(0, Arc::new(new));
    server.serve(plan);
    assert!(kept.get("/app/hello").ends_with("hello"));
    let mut added = Client::connect(new_address);
    assert!(added.get("/app/hello").ends_with("hello"));
    added.write("GET /app/gate HTTP/1.1\r\nhost: test\r\n\r\n");
    eventually("the gate is asked", || server.script.arrived() == 4);

    server.serve(server.plan.clone());
    eventually("refused", || TcpStream::connect(new_address).is_err());
    server.script.release.notify_one();
    let response = added.response();
    assert!(response.contains("connection: close\r\n") && response.ends_with("released"), "{response}");
    assert_eq!(added.rest(), "");
    assert!(kept.get("/app/hello").ends_with("hello"));
}
#[test]
fn the_cap_holds_connections_back_until_one_closes() {
    let server = Server::with(|plan| change_listener(plan, |listener| listener.max_connections = 1));
    let mut first = server.connect();
    first.get("/app/hello");
    let mut second = server.connect();
    second.write("GET /app/hello HTTP/1.1\r\nhost: test\r\n\r\n");
    first.get("/app/hello");
    assert_eq!(server.script.arrived(), 2);
    drop(first);
    assert!(second.response().ends_with("hello"));
}
#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let server = Server::start();
    let mut plan = server.plan.clone();
    let taken = server.address;
    plan.listeners.push(Arc::new(Listener { name: "again".to_owned(), address: taken, ..listener() }));
    let error = server.gateway.bind(&plan).err().unwrap().to_string();
    for part in ["listener \"again\"", &taken.to_string(), "os error 98", "ss -ltnp"] {
        assert!(error.contains(part), "{error}");
    }
}
/// An address nobody listens on just now.
fn free_address() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
