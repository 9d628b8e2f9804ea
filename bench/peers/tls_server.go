// Stamping line echo: Go, TLS 1.2 and 1.3 with Go's own crypto/tls. TCP_NODELAY is Go's default.
//
//	go build -o tls_server tls_server.go echo.go && ./tls_server PORT CERT KEY     (0 picks a port; PEM files)
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"os"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: tls_server PORT CERT KEY")
	}
	pair, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:"+os.Args[1], &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on tls://%s\n", listener.Addr())
	serveAll(listener)
}
