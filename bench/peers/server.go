// Stamping line echo: Go, plain TCP.
//
//	go build -o server server.go echo.go && ./server PORT     (0 picks a port)
package main

import (
	"fmt"
	"log"
	"net"
	"os"
)

func main() {
	port := "0"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on tcp://%s\n", listener.Addr())
	serveAll(listener)
}
