// A load generator over TLS for line echo servers that put a stamp in front: load.c's options and its JSON line.
//
//	go build -o tls_load tls_load.go
//	./tls_load MODE tls://127.0.0.1:PORT [--conns N] [--inflight K] [--size B] [--duration S] [--warmup S] [--verify]
//
//	steady  N connections send K lines at once, and again when all replies are in; lines per second and round trips
//	        after the warm-up. So a reply that waits for an acknowledgement (Nagle's algorithm) shows.
//	churn   connect, full handshake, one line, close, wait for the server's close, again, N at a time; cycles per second
//	idle    N connections, one line each, then "ready" on stdout; holds them until stdin closes
//
// --size is a line's length on the wire, LF included. A round trip of churn and idle begins with the connect. No
// session is resumed, and the certificate is not verified: the server is what is measured. K lines and their replies
// must fit into the sockets' buffers (a few hundred KiB), because a connection reads only after it has written.
//
// Of each reply the length, its first byte and the whole line are checked; with --verify the line holds every byte
// value but LF, and the stamp must lie within a second of its sending and receiving (`stamp_outside_us` is the worst
// miss). Anything unexpected is one line on stderr and exit 1.
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/bits"
	"math/rand"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	prefixLength = 30 // bytes of "[2026-11-23T03:37:00.123456Z] "
	lineCount    = 64 // differing lines, sent in turn
	readSize     = 512 << 10
	stall        = 30 * time.Second // no reply for this long is a failure
	dialling     = 64               // handshakes at a time while idle connections open
	// Closed connections hold their port for a minute: spread them over this many source addresses.
	sources = 250
)

var options struct {
	conns, inflight, size int
	duration, warmup      float64 // s
	verify                bool
}

var (
	mode, address string
	lines         []byte // lineCount of them, repeated so that any batch is contiguous
	connects      int64  // atomic
	measured      measurement
	measuredMutex sync.Mutex
	measureFrom   time.Time
	measureTo     time.Time
	unanswered    sync.WaitGroup // steady: connections that have had no reply yet
	windowIsKnown = make(chan struct{})
)

func die(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "tls_load: "+format+"\n", arguments...)
	os.Exit(1)
}

// Histogram: log-linear, 128 steps per power of two, as in load.c.

const (
	subBits = 7
	sub     = 1 << subBits
)

type measurement struct {
	buckets                         [sub * (64 - subBits + 1)]uint64
	recorded, largest               uint64 // ns
	cycles, replies, stampOutsideUs uint64
}

func (m *measurement) record(took time.Duration) {
	ns := uint64(took)
	shift := 63 - subBits - bits.LeadingZeros64(ns|sub)
	m.buckets[shift*sub+int(ns>>shift)]++
	m.recorded++
	if ns > m.largest {
		m.largest = ns
	}
}

func (m *measurement) add(other *measurement) {
	for i, count := range other.buckets {
		m.buckets[i] += count
	}
	m.recorded += other.recorded
	m.cycles += other.cycles
	m.replies += other.replies
	if other.largest > m.largest {
		m.largest = other.largest
	}
	if other.stampOutsideUs > m.stampOutsideUs {
		m.stampOutsideUs = other.stampOutsideUs
	}
}

// percentile is the middle of the bucket that holds the value at `fraction`, in µs.
func (m *measurement) percentile(fraction float64) float64 {
	rank, seen := uint64(fraction*float64(m.recorded)), uint64(0)
	for i, count := range m.buckets {
		if seen += count; seen > rank {
			shift := 0
			if i >= sub {
				shift = i/sub - 1
			}
			width := float64(uint64(1) << shift)
			return (float64(i-shift*sub)*width + width/2) / 1000
		}
	}
	return float64(m.largest) / 1000
}

// Lines and replies.

func makeLines() {
	random := rand.New(rand.NewSource(1))
	one := make([]byte, 0, lineCount*options.size)
	for i := 0; i < lineCount; i++ {
		for j := 0; j < options.size-1; j++ {
			value := byte(33 + random.Intn(94))
			for options.verify {
				if value = byte(random.Intn(256)); value != '\n' {
					break
				}
			}
			if j == 0 {
				value = byte('0' + i)
			}
			one = append(one, value)
		}
		one = append(one, '\n')
	}
	lines = bytes.Repeat(one, options.inflight/lineCount+2)
}

// connection keeps count of its lines, and the moment at which each one in flight was sent.
type connection struct {
	*tls.Conn
	began          time.Time
	sent, received int
	sentAt         []time.Time
	buffer         []byte
	kept           int // bytes of an incomplete reply at the buffer's beginning
	own            *measurement
}

func open(own *measurement) *connection {
	source := byte(atomic.AddInt64(&connects, 1) % sources)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1+source)}, Timeout: stall}
	c := &connection{began: time.Now(), own: own, sentAt: make([]time.Time, options.inflight)}
	conn, err := tls.DialWithDialer(&dialer, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		die("Cannot connect: %v", err)
	}
	c.Conn = conn
	return c
}

func (c *connection) send(count int, now time.Time) {
	for i := 0; i < count; i++ {
		c.sentAt[(c.sent+i)%options.inflight] = now
	}
	from := c.sent % lineCount * options.size
	c.sent += count
	if _, err := c.Write(lines[from : from+count*options.size]); err != nil {
		c.fail(err)
	}
}

// receive reads once, takes the replies that this completes, and returns when it was.
func (c *connection) receive(inWindow func(now time.Time) bool) time.Time {
	c.SetReadDeadline(time.Now().Add(stall))
	n, err := c.Read(c.buffer[c.kept:])
	now := time.Now()
	if err != nil {
		c.fail(err)
	}
	rest, replyLength := c.buffer[:c.kept+n], prefixLength+options.size
	counts := inWindow(now)
	for ; len(rest) >= replyLength; rest = rest[replyLength:] {
		c.take(rest[:replyLength], now, counts)
	}
	if len(rest) > 0 && rest[0] != '[' {
		die("The server says: %.160q", rest)
	}
	c.kept = copy(c.buffer, rest)
	return now
}

func (c *connection) take(reply []byte, now time.Time, counts bool) {
	from := c.received % lineCount * options.size
	if c.received == c.sent {
		die("A reply to no line: %.160q", reply)
	}
	if reply[0] != '[' || !bytes.Equal(reply[prefixLength:], lines[from:from+options.size]) {
		die("A wrong reply: %.160q", reply)
	}
	sentAt := c.sentAt[c.received%options.inflight]
	if options.verify {
		c.checkStamp(reply, sentAt, now)
	}
	c.received++
	c.own.replies++
	if counts {
		if mode != "steady" {
			sentAt = c.began
		}
		c.own.record(now.Sub(sentAt))
	}
}

func (c *connection) checkStamp(reply []byte, sentAt, now time.Time) {
	stamp, err := time.Parse("[2006-01-02T15:04:05.000000Z] ", string(reply[:prefixLength]))
	outside := sentAt.Truncate(time.Microsecond).Sub(stamp)
	if after := stamp.Sub(now); after > outside {
		outside = after
	}
	if err != nil || outside > time.Second {
		die("A wrong stamp: %.160q", reply)
	}
	if us := uint64(outside / time.Microsecond); outside > 0 && us > c.own.stampOutsideUs {
		c.own.stampOutsideUs = us
	}
}

func (c *connection) fail(err error) {
	die("A connection failed with %d of %d lines answered: %v", c.received, c.sent, err)
}

// finish ends the sending side and waits for the server's end.
func (c *connection) finish() {
	if err := c.CloseWrite(); err != nil {
		c.fail(err)
	}
	c.SetReadDeadline(time.Now().Add(stall))
	if n, err := c.Read(c.buffer); n > 0 {
		die("A reply to no line: %.160q", c.buffer[:n])
	} else if !errors.Is(err, io.EOF) {
		die("A connection failed while it was closing: %v", err)
	}
	c.Close()
}

// The modes.

func setWindow() {
	measureFrom = time.Now().Add(time.Duration(options.warmup * 1e9))
	measureTo = measureFrom.Add(time.Duration(options.duration * 1e9))
	close(windowIsKnown)
}

func inWindow(now time.Time) bool {
	select {
	case <-windowIsKnown:
		return !now.Before(measureFrom) && now.Before(measureTo)
	default:
		return false
	}
}

func isOver(now time.Time) bool {
	select {
	case <-windowIsKnown:
		return !now.Before(measureTo)
	default:
		return false
	}
}

func steady(own *measurement) {
	c := open(own)
	defer c.Close()
	c.buffer = make([]byte, readSize)
	c.send(options.inflight, time.Now())
	for isFirst := true; c.received < c.sent; {
		now := c.receive(inWindow)
		if c.received > 0 && isFirst {
			isFirst = false
			unanswered.Done()
		}
		if c.received == c.sent && !isOver(now) {
			c.send(options.inflight, now)
		}
	}
}

func churn(own *measurement) {
	buffer := make([]byte, prefixLength+options.size)
	for !isOver(time.Now()) {
		c := open(own)
		c.buffer = buffer
		firstReply(c, inWindow)
		c.finish()
		if inWindow(time.Now()) {
			own.cycles++
		}
	}
}

func firstReply(c *connection, inWindow func(time.Time) bool) {
	c.send(1, time.Now())
	for c.received == 0 {
		c.receive(inWindow)
	}
}

// idle returns the connections that it has opened, and counts each one's first reply as a cycle.
func idle() []*connection {
	var group sync.WaitGroup
	held := make([]*connection, options.conns)
	for worker := 0; worker < dialling; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			own := new(measurement)
			for i := worker; i < options.conns; i += dialling {
				held[i] = open(own)
				held[i].buffer = make([]byte, prefixLength+options.size)
				firstReply(held[i], func(time.Time) bool { return true })
				own.cycles++
			}
			collect(own)
		}(worker)
	}
	group.Wait()
	return held
}

func collect(own *measurement) {
	measuredMutex.Lock()
	defer measuredMutex.Unlock()
	measured.add(own)
}

// runAll runs one goroutine per connection to their ends.
func runAll(body func(own *measurement)) {
	var group sync.WaitGroup
	for i := 0; i < options.conns; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			own := new(measurement)
			body(own)
			collect(own)
		}()
	}
	group.Wait()
}

func parseArguments() {
	usage := "usage: tls_load steady|churn|idle tls://HOST:PORT [--conns N] [--inflight K] [--size BYTES]\n" +
		"                [--duration SECONDS] [--warmup SECONDS] [--verify]"
	flags := flag.NewFlagSet("tls_load", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	flags.IntVar(&options.conns, "conns", 1, "")
	flags.IntVar(&options.inflight, "inflight", 1, "")
	flags.IntVar(&options.size, "size", 32, "")
	flags.Float64Var(&options.duration, "duration", 2, "")
	flags.Float64Var(&options.warmup, "warmup", 0.5, "")
	flags.BoolVar(&options.verify, "verify", false, "")
	if len(os.Args) < 3 {
		flags.Usage()
		os.Exit(2)
	}
	mode = os.Args[1]
	flags.Parse(os.Args[3:])
	var found bool
	_, address, found = strings.Cut(os.Args[2], "tls://")
	isKnown := mode == "steady" || mode == "churn" || mode == "idle"
	if !isKnown || !found || flags.NArg() > 0 || options.conns < 1 || options.inflight < 1 || options.size < 2 ||
		options.size > 1<<20 {
		flags.Usage()
		os.Exit(2)
	}
	if mode != "steady" {
		options.inflight = 1
	}
}

func main() {
	parseArguments()
	makeLines()
	start := time.Now()
	seconds := options.duration
	switch mode {
	case "steady":
		unanswered.Add(options.conns)
		go func() {
			unanswered.Wait()
			setWindow()
		}()
		runAll(steady)
	case "churn":
		setWindow()
		runAll(churn)
	case "idle":
		held := idle()
		seconds = time.Since(start).Seconds()
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
		for _, c := range held {
			c.Close()
		}
	}
	report(seconds, time.Since(start).Seconds())
}

// report prints the result; `ran` is the whole run's length, of which `seconds` were measured.
func report(seconds, ran float64) {
	count := measured.cycles
	if mode == "steady" {
		count = measured.recorded
	}
	if count == 0 {
		die("Nothing was measured in %.3f s", seconds)
	}
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	result := map[string]any{
		"mode": mode, "conns": options.conns, "inflight": options.inflight, "size": options.size,
		"seconds": seconds, "count": count, "rate": float64(count) / seconds,
		"cpu":      float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9 / ran,
		"connects": connects, "replies": measured.replies,
		"p50_us": measured.percentile(.5), "p99_us": measured.percentile(.99), "max_us": float64(measured.largest) / 1000,
	}
	if options.verify {
		result["stamp_outside_us"] = measured.stampOutsideUs
	}
	json.NewEncoder(os.Stdout).Encode(result)
}
