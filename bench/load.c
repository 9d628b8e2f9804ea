/* A load generator for line echo servers that put a stamp in front: one thread, epoll, non-blocking sockets.
 *
 *   gcc -O2 -Wall -Wextra -o load load.c
 *   ./load MODE ENDPOINT [--conns N] [--inflight K] [--rate R] [--size B] [--duration S] [--warmup S] [--proxy]
 *          [--verify] [--server PID]
 *
 * ENDPOINT is tcp://127.0.0.1:PORT, unix:/PATH or udp://127.0.0.1:PORT: steady alone, a line in flight, a datagram each.
 *
 *   steady  N connections keep K lines in flight each; lines per second and round trips after the warm-up
 *   paced   an open loop: R lines a second at even moments over N connections in turn, whatever has been answered;
 *           response times, each from the planned moment, and the send lag, the generator's own. It keeps a core busy.
 *   storm   N connections as fast as possible, one line each; the time until the last reply
 *   idle    N connections, one line each, then "ready" on stdout; holds them until stdin closes
 *   churn   connect, one line, half-close, wait for the server's close, again, N at a time; cycles per second
 *   reset   connect, send something, reset, again, N at a time; nothing is measured, servers must survive it
 *
 * --size is a line's length on the wire, its LF included; its reply is PREFIX bytes longer.
 * --duration and --warmup are seconds; the measured part is the duration, which follows the warm-up, which begins when
 * every connection of steady or paced has had a reply. --proxy sends a PROXY header (version 1, 2 in turn) before the
 * first line. `all_answered` is the seconds from the first connect to the last connection's first reply. With --server
 * the result of steady has `server_cpu`, the seconds of CPU time that this process took in the measured part.
 *
 * Lines come from a ring of differing payloads. Of each reply the length, the first byte and the payload's first and
 * last bytes are checked; with --verify the payload holds every byte value but LF, the whole reply is compared, and
 * its stamp must lie between the sending and the receiving of the line (`stamp_outside_us` is the worst miss).
 * A result is one JSON object on stdout; its `cpu` is the share of a core that this program took, kernel included.
 * Anything unexpected is one line on stderr and exit 1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "load_histogram.h"
#include "load_lines.h"

enum {
  READ_SIZE = 512 << 10, /* bytes asked of one recv */
  EVENTS = 256,
  STALL_MS = 30000,      /* no event for this long is a failure */
  MAX_BEHIND = 4096,    /* lines in flight on one connection of paced; a server that is further behind has failed */
};

enum mode { STEADY, PACED, STORM, IDLE, CHURN, RESET };
static const char *const mode_names[] = {"steady", "paced", "storm", "idle", "churn", "reset"};

enum state { CONNECTING, OPEN, HALF_CLOSED };

struct conn {
  int fd;
  enum state state;
  uint64_t sent, received; /* lines, since the connect */
  size_t unsent;           /* bytes of the lines counted as sent that the kernel has not taken */
  bool waits_to_send;      /* EPOLLOUT is asked for */
  size_t part_length;      /* bytes in `part` */
  char *part;              /* the beginning of a reply whose rest has not arrived */
  uint64_t *sent_at;       /* ns, of the lines in flight, by line number modulo ring_lines; in paced the planned moment */
  uint64_t connect_at;     /* ns */
};

static struct {
  enum mode mode;
  int conns, inflight;
  size_t size;
  double duration, warmup; /* s */
  double rate;             /* lines a second */
  bool proxy, verify;
  pid_t server; /* 0: unknown */
} options = {.conns = 1, .inflight = 1, .size = 32, .duration = 2, .warmup = 0.5};

static union {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_un un;
} target;
static socklen_t target_length;
static int target_type = SOCK_STREAM; /* or SOCK_DGRAM */
static int epoll_fd;
static char read_buffer[READ_SIZE];

static int live;                          /* open or connecting */
static uint64_t answered;                 /* connections of all modes but churn and reset that have their first reply */
static uint64_t cycles, opened, total;    /* measured churn cycles or resets; connects; replies, warm-up included */
static uint64_t measure_from, measure_to; /* ns */
static struct histogram replies, send_lag;
static clockid_t server_clock;
static double server_from, server_to;     /* s of the server's CPU time when the measured part began and ended */

/* ns. The wall clock under --verify, because stamps are compared with it; else the monotonic one. */
static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(options.verify ? CLOCK_REALTIME : CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Takes the server's CPU time once at each end of the measured part. */
static void clock_server(uint64_t now) {
  double *at = now >= measure_to ? &server_to : &server_from;
  if (!options.server || now < measure_from || *at > 0) return;
  struct timespec t;
  if (clock_gettime(server_clock, &t)) die("Cannot read the CPU time of process %d", options.server);
  *at = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- replies --------------------------------------------------------------------------------------------------- */

static void take_reply(struct conn *c, const char *reply, uint64_t now) {
  const char *line = line_at(c->received);
  if (c->received == c->sent) die_of_reply(reply, reply_length, "A reply to no line");
  bool good = reply[0] == '[' && reply[PREFIX] == line[0] && reply[reply_length - 1] == '\n' &&
              (line_length < 2 || reply[reply_length - 2] == line[line_length - 2]);
  uint64_t sent_at = c->sent_at[c->received & (ring_lines - 1)];
  if (good && options.verify)
    good = memcmp(reply + PREFIX, line, line_length) == 0 && stamp_is_good(reply, sent_at, now);
  if (!good) die_of_reply(reply, reply_length, reply[0] == 'e' ? "The server says" : "A wrong reply");
  c->received++;
  total++;
  uint64_t counts_at = options.mode == PACED ? sent_at : now; /* the slow replies to the last lines count too */
  if (counts_at >= measure_from && counts_at < measure_to)
    record(&replies, now - (options.mode == CHURN ? c->connect_at : sent_at));
}

/* Takes the replies in `length` bytes that arrived; returns how many were completed. */
static int take_bytes(struct conn *c, const char *bytes, size_t length, uint64_t now) {
  uint64_t before = c->received;
  if (c->part_length) {
    size_t wanted = reply_length - c->part_length, n = length < wanted ? length : wanted;
    memcpy(c->part + c->part_length, bytes, n);
    c->part_length += n, bytes += n, length -= n;
    if (c->part_length == reply_length) take_reply(c, c->part, now), c->part_length = 0;
  }
  for (; length >= reply_length; bytes += reply_length, length -= reply_length) take_reply(c, bytes, now);
  if (length) {
    if (!c->part && !(c->part = malloc(reply_length))) die("no memory for a reply");
    memcpy(c->part + c->part_length, bytes, length);
    c->part_length += length;
    if (c->part[0] != '[') die_of_reply(c->part, c->part_length, "The server says");
  }
  return (int)(c->received - before);
}

/* --- connections ---------------------------------------------------------------------------------------------- */

static void watch(struct conn *c, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll_fd, operation, c->fd, &event)) die("Cannot watch a connection: %s", strerror(errno));
}

static void open_conn(struct conn *c) {
  c->fd = socket(target.any.sa_family, target_type | SOCK_NONBLOCK, 0);
  if (c->fd < 0) die("Cannot open connection %d: %s", live + 1, strerror(errno));
  int on = 1;
  if (target.any.sa_family == AF_INET && target_type == SOCK_STREAM)
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (target.any.sa_family == AF_INET && (ntohl(target.in.sin_addr.s_addr) >> 24) == 127) {
    /* Closed connections hold their port for a minute: on loopback, spread them over 250 source addresses. */
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(0x7F000101u + (uint32_t)(opened % 250));
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(c->fd, (struct sockaddr *)&source, sizeof source)) die("Cannot bind: %s", strerror(errno));
  }
  c->state = CONNECTING;
  c->sent = c->received = c->unsent = c->part_length = 0;
  c->connect_at = now_ns();
  if (connect(c->fd, &target.any, target_length) && errno != EINPROGRESS)
    die("Cannot connect: %s", strerror(errno));
  c->waits_to_send = true;
  watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
  live++, opened++;
}

static void close_conn(struct conn *c) {
  close(c->fd);
  live--;
}

static void reset_conn(struct conn *c) {
  struct linger none = {.l_onoff = 1, .l_linger = 0};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close_conn(c);
}

static void flush(struct conn *c) {
  const char *from = line_at(c->sent - (c->unsent + line_length - 1) / line_length);
  size_t into_line = (line_length - c->unsent % line_length) % line_length;
  ssize_t n = c->unsent ? send(c->fd, from + into_line, c->unsent, MSG_NOSIGNAL) : 0;
  if (n > 0) c->unsent -= (size_t)n; /* of an error the next read knows more, perhaps in the server's own words */
  if (c->waits_to_send == (c->unsent > 0)) return;
  c->waits_to_send = c->unsent > 0;
  watch(c, EPOLL_CTL_MOD, c->waits_to_send ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void send_lines(struct conn *c, int count, uint64_t now) {
  for (int i = 0; i < count; i++) c->sent_at[c->sent++ & (ring_lines - 1)] = now;
  bool was_blocked = c->unsent > 0;
  c->unsent += (size_t)count * line_length;
  if (!was_blocked) flush(c);
}

/* One of the ways in which a peer can vanish; returns false when the connection is to live until it is readable. */
static bool misbehave(struct conn *c) {
  switch (next_random() >> 32 & 3) {
    case 0: break;                                                               /* at once */
    case 1: send(c->fd, ring, line_length / 2, MSG_NOSIGNAL); break;             /* in the middle of a line */
    case 2: send_lines(c, options.inflight, now_ns()); break;                    /* with every reply still to come */
    default: send_lines(c, options.inflight, now_ns()); return false;            /* with replies unread */
  }
  reset_conn(c);
  return true;
}

/* From when to when things are measured. */
static void set_window(uint64_t start) {
  measure_from = start + (uint64_t)(options.warmup * 1e9);
  measure_to = measure_from + (uint64_t)(options.duration * 1e9);
}

/* A fresh connection's buffer takes the header whole. */
static void send_proxy_header(struct conn *c) {
  static const char v1[] = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 21567\r\n";
  static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\x54\x3f";
  static uint64_t sent;
  bool first = sent++ % 2 == 0;
  send(c->fd, first ? v1 : v2, (first ? sizeof v1 : sizeof v2) - 1, MSG_NOSIGNAL);
}

static void count_cycle(uint64_t now) {
  if (now >= measure_from && now < measure_to) cycles++;
}

static void on_connected(struct conn *c) {
  int error = 0;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
  if (error) die("Cannot connect: %s", strerror(error));
  uint64_t now = now_ns();
  if (options.proxy) send_proxy_header(c);
  if (options.mode != RESET) {
    send_lines(c, options.mode == STEADY ? options.inflight : 1, now);
    c->state = OPEN;
  } else if (misbehave(c)) {
    count_cycle(now);
    if (now < measure_to) open_conn(c);
  } else {
    c->state = OPEN;
  }
}

static void on_end(struct conn *c, const char *why) {
  if (c->state != HALF_CLOSED) die("The server closed a connection with %llu of %llu lines answered%s%s",
                                   (unsigned long long)c->received, (unsigned long long)c->sent, *why ? ": " : "", why);
  if (*why) die("A connection failed while it was closing: %s", why);
  uint64_t now = now_ns();
  close_conn(c);
  count_cycle(now);
  if (now < measure_to) open_conn(c);
}

static void on_readable(struct conn *c) {
  if (options.mode == RESET) {
    reset_conn(c);
    count_cycle(now_ns());
    if (now_ns() < measure_to) open_conn(c);
    return;
  }
  ssize_t n = recv(c->fd, read_buffer, READ_SIZE, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    on_end(c, n ? strerror(errno) : "");
    return;
  }
  uint64_t now = now_ns();
  int completed = take_bytes(c, read_buffer, (size_t)n, now);
  if (!completed) return;
  if (c->received == (uint64_t)completed) answered++;
  if (options.mode <= PACED && measure_to == UINT64_MAX && answered == (uint64_t)options.conns) set_window(now);
  if (options.mode == STEADY) {
    clock_server(now);
    if (now < measure_to) send_lines(c, completed, now);
    else if (c->received == c->sent) close_conn(c);
  } else if (options.mode == CHURN) {
    c->state = HALF_CLOSED;
    shutdown(c->fd, SHUT_WR);
  }
}

/* Waits for events and handles them; returns false when stdin, watched with a null pointer, has closed. */
static bool turn(int timeout_ms) {
  static struct epoll_event events[EVENTS];
  int n = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);
  if (n < 0 && errno != EINTR) die("Cannot wait for events: %s", strerror(errno));
  if (n == 0 && timeout_ms > 0) die("No reply for %d s on %d connections", STALL_MS / 1000, live);
  for (int i = 0; i < n; i++) {
    struct conn *c = events[i].data.ptr;
    if (!c) {
      if (read(0, read_buffer, READ_SIZE) <= 0) return false;
    } else if (c->state == CONNECTING) {
      on_connected(c);
    } else {
      if (events[i].events & EPOLLOUT) flush(c);
      if (events[i].events & ~EPOLLOUT) on_readable(c); /* the last use of c: it may be closed or a new one after it */
    }
  }
  return true;
}

/* Sends R lines a second until the end of the window, and waits for the replies that are missing then. */
static void pace(struct conn *conns) {
  uint64_t start = now_ns(), planned = start, lines = 0;
  while (planned < measure_to) {
    for (uint64_t now = now_ns(); planned <= now && planned < measure_to; now = now_ns()) {
      struct conn *c = &conns[lines % (uint64_t)options.conns];
      if (c->sent - c->received == ring_lines) die("The server is %d lines behind on a connection", MAX_BEHIND);
      if (planned >= measure_from) record(&send_lag, now - planned);
      send_lines(c, 1, planned);
      planned = start + (uint64_t)((double)++lines * 1e9 / options.rate);
      if (lines % 64 == 0) break; /* what is behind its plan must look at replies too */
    }
    turn(0);
  }
  while (total < lines + (uint64_t)options.conns) turn(STALL_MS);
}

/* --- main ----------------------------------------------------------------------------------------------------- */

static bool parse_endpoint(const char *endpoint) {
  char scheme[4], host[64];
  int port;
  if (strncmp(endpoint, "unix:", 5) == 0) {
    target.un.sun_family = AF_UNIX;
    target_length = sizeof target.un;
    return (size_t)snprintf(target.un.sun_path, sizeof target.un.sun_path, "%s", endpoint + 5) < sizeof target.un.sun_path;
  }
  if (sscanf(endpoint, "%3[a-z]://%63[0-9.]:%d", scheme, host, &port) != 3) return false;
  if (strcmp(scheme, "udp") == 0) target_type = SOCK_DGRAM;
  else if (strcmp(scheme, "tcp") != 0) return false;
  target.in.sin_family = AF_INET;
  target.in.sin_port = htons((uint16_t)port);
  target_length = sizeof target.in;
  return inet_pton(AF_INET, host, &target.in.sin_addr) == 1;
}

static void parse_arguments(int argc, char **argv) {
  static const struct option known[] = {
      {"conns", required_argument, 0, 'c'},    {"inflight", required_argument, 0, 'k'},
      {"size", required_argument, 0, 's'},     {"duration", required_argument, 0, 'd'},
      {"warmup", required_argument, 0, 'w'},   {"rate", required_argument, 0, 'r'},
      {"proxy", no_argument, 0, 'p'},          {"verify", no_argument, 0, 'v'},
      {"server", required_argument, 0, 'S'},
      {0, 0, 0, 0}};
  for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    switch (option) {
      case 'c': options.conns = atoi(optarg); break;
      case 'k': options.inflight = atoi(optarg); break;
      case 's': options.size = strtoul(optarg, NULL, 10); break;
      case 'd': options.duration = atof(optarg); break;
      case 'w': options.warmup = atof(optarg); break;
      case 'r': options.rate = atof(optarg); break;
      case 'p': options.proxy = true; break;
      case 'v': options.verify = true; break;
      case 'S': options.server = atoi(optarg); break;
      default: exit(2);
    }
  }
  bool found = false;
  for (int i = 0; optind < argc && i <= RESET; i++)
    if (strcmp(argv[optind], mode_names[i]) == 0) options.mode = (enum mode)i, found = true;
  if (!found || argc - optind != 2 || !parse_endpoint(argv[optind + 1]) || options.conns < 1 || options.inflight < 1 ||
      options.size < 1 || options.size > 1 << 20 || (options.mode == PACED) != (options.rate > 0) ||
      (options.mode == PACED && options.inflight > 1) ||
      (target_type == SOCK_DGRAM && (options.inflight > 1 || options.mode != STEADY || options.proxy))) {
    fputs("usage: load steady|paced|storm|idle|churn|reset tcp://IPV4:PORT|unix:PATH|udp://IPV4:PORT [--conns N]\n"
          "            [--inflight K] [--rate LINES_PER_SECOND] [--size BYTES] [--duration SECONDS] [--warmup SECONDS] [--proxy]\n"
          "            [--verify] [--server PID]\n"
          "paced takes --rate and no --inflight, the others no --rate\n", stderr);
    exit(2);
  }
}

static void print_times(const char *name, const struct histogram *times) {
  printf(",\"%sp50_us\":%.2f,\"%sp99_us\":%.2f,\"%smax_us\":%.2f", name, percentile_us(times, .5), name,
         percentile_us(times, .99), name, (double)times->largest / 1000);
}

int main(int argc, char **argv) {
  parse_arguments(argc, argv);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (options.server && clock_getcpuclockid(options.server, &server_clock))
    die("Cannot find process %d", options.server);
  make_lines(options.size, options.mode == PACED ? MAX_BEHIND : options.inflight, options.verify);
  epoll_fd = epoll_create1(0);

  struct conn *conns = calloc((size_t)options.conns, sizeof *conns);
  uint64_t *times = calloc((size_t)options.conns * ring_lines, sizeof *times);
  if (!conns || !times) die("no memory for %d connections", options.conns);
  for (int i = 0; i < options.conns; i++) conns[i].sent_at = times + (size_t)i * ring_lines;

  bool once = options.mode == STORM || options.mode == IDLE; /* measures every reply, has no duration */
  uint64_t start = now_ns();
  measure_from = once ? 0 : UINT64_MAX;
  measure_to = UINT64_MAX;
  if (options.mode >= CHURN) set_window(start);
  for (int i = 0; i < options.conns;) {
    open_conn(&conns[i++]);
    if (i % 64 == 0) turn(0); /* answer early birds while the others connect */
    if (options.mode == IDLE) while ((uint64_t)i - answered > 256) turn(STALL_MS); /* spare the backlog */
  }
  if (options.mode == PACED) {
    while (measure_to == UINT64_MAX) turn(STALL_MS);
    pace(conns);
  }
  while (once ? answered < (uint64_t)options.conns : live > 0 && options.mode != PACED) turn(STALL_MS);
  double ran = (double)(now_ns() - start) / 1e9, seconds = once ? ran : options.duration;

  if (options.mode == IDLE) {
    puts("ready");
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event) == 0) /* fails for a file, which is as good as closed */
      while (turn(-1)) {}
  }
  uint64_t count = options.mode <= PACED ? replies.recorded : options.mode >= CHURN ? cycles : answered;
  if (!count) die("Nothing was measured in %.3f s", seconds);
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  printf("{\"mode\":\"%s\",\"conns\":%d,\"inflight\":%d,\"size\":%zu,\"seconds\":%.6f,\"count\":%llu,\"rate\":%.1f,"
         "\"cpu\":%.3f,\"connects\":%llu,\"replies\":%llu",
         mode_names[options.mode], options.conns, options.inflight, options.size, seconds, (unsigned long long)count,
         (double)count / seconds, cpu / ran, (unsigned long long)opened, (unsigned long long)total);
  if (replies.recorded) print_times("", &replies);
  if (options.mode == PACED) print_times("lag_", &send_lag);
  if (options.mode <= PACED)
    printf(",\"all_answered\":%.6f", (double)(measure_from - start) / 1e9 - options.warmup);
  if (server_to > 0) printf(",\"server_cpu\":%.6f", server_to - server_from);
  if (options.verify) printf(",\"stamp_outside_us\":%llu", (unsigned long long)stamp_outside_us);
  puts("}");
  return 0;
}
