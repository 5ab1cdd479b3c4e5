//! A proxy that leads every name to a server of the world, and no name anywhere else.
//!
//! With it the program under test dials the real names of the services, over TLS, and what it dialled is written down.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::World;

/// The proxy.
#[derive(Clone)]
pub struct Proxy {
    address: SocketAddr,
    names: Arc<Mutex<BTreeMap<String, SocketAddr>>>,
    dialled: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// The value for `HTTPS_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Leads a name (port 443) to a server.
    pub fn lead(&self, name: &str, to: SocketAddr) {
        self.names.lock().unwrap().insert(format!("{name}:443"), to);
    }

    /// Whether a `name:port` leads somewhere.
    pub fn leads(&self, name: &str) -> bool {
        self.names.lock().unwrap().contains_key(name)
    }

    /// Every `name:port` that was asked for, those that lead nowhere included.
    pub fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().clone()
    }

    async fn serve(self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while stream.read_line(&mut head).await? > 2 {}
        if head.is_empty() {
            // Whoever opened it was killed before asking for anything.
            return Ok(());
        }
        let name = head
            .strip_prefix("CONNECT ")
            .and_then(|rest| rest.split(' ').next());
        let name = name.unwrap_or("no CONNECT").to_owned();
        self.dialled.lock().unwrap().push(name.clone());
        let to = self.names.lock().unwrap().get(&name).copied();
        let Some(to) = to else {
            return stream
                .write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
                .await;
        };
        let mut server = TcpStream::connect(to).await?;
        let _ = server.set_nodelay(true);
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
        tokio::io::copy_bidirectional(&mut stream, &mut server)
            .await
            .map(|_| ())
    }
}

impl World {
    /// Boots a proxy.
    pub fn proxy(&self) -> Proxy {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let proxy = Proxy {
            address: socket.local_addr().unwrap(),
            names: Arc::default(),
            dialled: Arc::default(),
        };
        let door = proxy.clone();
        self.runtime.spawn(async move {
            let listener = TcpListener::from_std(socket).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(door.clone().serve(stream));
            }
        });
        proxy
    }
}
