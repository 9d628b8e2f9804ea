// The echo that server.go and tls_server.go share: a goroutine per connection, buffered both ways.
package main

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"time"
)

const maxLine = 65536

// stampedReader formats the stamp when bytes arrive: every line that a read completes carries that read's time, and
// a read costs one look at the clock however many lines it brings.
type stampedReader struct {
	conn   net.Conn
	prefix []byte
}

func (r *stampedReader) Read(p []byte) (int, error) {
	n, err := r.conn.Read(p)
	r.prefix = time.Now().UTC().AppendFormat(r.prefix[:0], "[2006-01-02T15:04:05.000000Z] ")
	return n, err
}

// serve answers each line with a stamp and the line, until the peer ends.
func serve(conn net.Conn) {
	defer conn.Close()
	stamped := &stampedReader{conn: conn}
	reader := bufio.NewReaderSize(stamped, maxLine+1)
	writer := bufio.NewWriterSize(conn, maxLine)
	defer writer.Flush()
	for {
		line, err := reader.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			writer.WriteString("error: line too long\n")
			return
		}
		if len(line) > 0 {
			writer.Write(stamped.prefix)
			writer.Write(line)
		}
		if err != nil {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				writer.WriteByte('\n') // the last line came without its LF
			}
			return
		}
		// The writer keeps the first error and returns it from Flush.
		if reader.Buffered() == 0 {
			if writer.Flush() != nil {
				return
			}
		}
	}
}

// serveAll serves every connection of a listener.
func serveAll(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Print(err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go serve(conn)
	}
}
