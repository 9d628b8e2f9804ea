// Stamping line echo: Go.
//
//	go build -o server server.go echo.go && ./server PORT|unix:PATH|udp:PORT [--proxy]     (port 0 picks one)
//
// With --proxy each stream begins with a PROXY protocol header, version 1 or 2, which is parsed and skipped.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// proxied is a connection that begins with a PROXY header, which its first read takes: no accept waits for one.
type proxied struct {
	net.Conn
	reader *bufio.Reader
	client netip.AddrPort // once the header has been read
}

func (c *proxied) Read(p []byte) (int, error) {
	if !c.client.IsValid() {
		if err := c.readHeader(); err != nil {
			return 0, err
		}
	}
	if c.reader.Buffered() == 0 {
		return c.Conn.Read(p)
	}
	return c.reader.Read(p)
}

var (
	signature = []byte("\r\n\r\n\x00\r\nQUIT\n")
	errProxy  = errors.New("no PROXY header")
)

// readHeader takes a header of TCP over IPv4.
func (c *proxied) readHeader() error {
	begin, err := c.reader.Peek(len(signature))
	if err != nil {
		return err
	}
	if string(begin) != string(signature) {
		return c.readHeaderLine()
	}
	var header [28]byte
	if _, err := io.ReadFull(c.reader, header[:]); err != nil {
		return err
	}
	if header[12] != 0x21 || header[13] != 0x11 || binary.BigEndian.Uint16(header[14:]) != 12 {
		return errProxy
	}
	address := netip.AddrFrom4(*(*[4]byte)(header[16:20]))
	c.client = netip.AddrPortFrom(address, binary.BigEndian.Uint16(header[24:]))
	return nil
}

func (c *proxied) readHeaderLine() error {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	fields := strings.Fields(string(line))
	if len(fields) != 6 || fields[0] != "PROXY" || fields[1] != "TCP4" {
		return errProxy
	}
	c.client, err = netip.ParseAddrPort(fields[2] + ":" + fields[4])
	return err
}

type proxyListener struct{ net.Listener }

func (l proxyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &proxied{Conn: conn, reader: bufio.NewReaderSize(conn, 256)}, nil
}

func serveDatagrams(port string) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	conn := socket.(*net.UDPConn)
	fmt.Printf("listening on udp://%s\n", conn.LocalAddr())
	datagram, reply := make([]byte, 1<<16), make([]byte, 0, 1<<17)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(datagram)
		if err != nil {
			continue
		}
		reply = time.Now().UTC().AppendFormat(reply[:0], "[2006-01-02T15:04:05.000000Z] ")
		conn.WriteToUDPAddrPort(append(reply, datagram[:n]...), from)
	}
}

func main() {
	where := "0"
	if len(os.Args) > 1 {
		where = os.Args[1]
	}
	if strings.HasPrefix(where, "udp:") {
		serveDatagrams(where[len("udp:"):])
	}
	network, address, scheme := "tcp", "127.0.0.1:"+where, "tcp://"
	if strings.HasPrefix(where, "unix:") {
		path := where[len("unix:"):]
		os.Remove(path)
		network, address, scheme = "unix", path, "unix:"
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s%s\n", scheme, listener.Addr())
	if len(os.Args) > 2 && os.Args[2] == "--proxy" {
		listener = proxyListener{listener}
	}
	serveAll(listener)
}
