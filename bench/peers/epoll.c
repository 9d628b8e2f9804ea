/* Stamping line echo: C with epoll, one thread. The limit that the other servers are held against.
 *
 *   gcc -O2 -Wall -Wextra -o epoll epoll.c && ./epoll PORT|unix:PATH     (port 0 picks one)
 *
 * One read, one look at the clock, one write: all lines that a read completes are answered in one buffer.
 * Each connection owns a line buffer of 64 KiB, so that a read needs no copy for what it leaves over. The kernel backs
 * only the pages that were touched: an idle connection costs one page of 4 KiB, the simple design's price. (A read
 * buffer shared by all, with only the left-overs kept, would cost some 100 bytes and a copy per left-over.)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINE = 65536, PREFIX = 30, EVENTS = 256 };

struct conn {
  int fd;
  bool ending;  /* nothing more to read: close when all is written */
  size_t have;  /* bytes in `line`, all of them without LF */
  char *unsent; /* what the kernel did not take, malloc'd; while there is any, nothing is read */
  size_t unsent_from, unsent_to;
  struct conn *next_spare;
  char line[MAX_LINE + 1];
};

static int epoll_fd;
static struct conn *spare; /* closed ones, for reuse: short connections then cost neither a malloc nor a page fault */
static char out[(MAX_LINE + 1) * (PREFIX + 1) + 64]; /* the worst case: a buffer full of empty lines */
static char prefix[PREFIX + 1] = "[....-..-..T..:..:...000000Z] ";

/* Writes the wall clock into `prefix`; the calendar is consulted once a second. */
static void stamp(void) {
  static time_t known_second = -1;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec != known_second) {
    struct tm t;
    gmtime_r(&now.tv_sec, &t);
    strftime(prefix + 1, PREFIX, "%Y-%m-%dT%H:%M:%S", &t);
    prefix[20] = '.';
    known_second = now.tv_sec;
  }
  uint32_t us = (uint32_t)now.tv_nsec / 1000;
  for (int i = 26; i > 20; i--, us /= 10) prefix[i] = (char)('0' + us % 10);
}

static void watch(struct conn *c, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll_fd, operation, c->fd, &event)) perror("epoll: epoll_ctl");
}

static void close_conn(struct conn *c) {
  close(c->fd);
  free(c->unsent);
  c->next_spare = spare;
  spare = c;
}

/* Sends `length` bytes of `out`; what does not fit waits in the connection. */
static void send_out(struct conn *c, size_t length) {
  ssize_t n = send(c->fd, out, length, MSG_NOSIGNAL);
  if (n < 0 && errno == EAGAIN) n = 0;
  if (n < 0 || ((size_t)n == length && c->ending)) {
    close_conn(c);
  } else if ((size_t)n < length) {
    c->unsent_from = 0;
    c->unsent_to = length - (size_t)n;
    c->unsent = malloc(c->unsent_to);
    if (!c->unsent) {
      close_conn(c);
      return;
    }
    memcpy(c->unsent, out + n, c->unsent_to);
    watch(c, EPOLL_CTL_MOD, EPOLLOUT);
  }
}

static void on_writable(struct conn *c) {
  ssize_t n = send(c->fd, c->unsent + c->unsent_from, c->unsent_to - c->unsent_from, MSG_NOSIGNAL);
  if (n < 0 && errno == EAGAIN) return;
  if (n > 0) c->unsent_from += (size_t)n;
  if (n < 0 || (c->ending && c->unsent_from == c->unsent_to)) {
    close_conn(c);
  } else if (c->unsent_from == c->unsent_to) {
    free(c->unsent);
    c->unsent = NULL;
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
  }
}

static void on_readable(struct conn *c) {
  ssize_t n = read(c->fd, c->line + c->have, sizeof c->line - c->have);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0 || (n == 0 && c->have == 0)) {
    close_conn(c);
    return;
  }
  stamp();
  char *search = c->line + c->have, *end = search + n, *from = c->line, *to = out, *lf;
  if (n == 0) { /* the last line came without its LF */
    *end++ = '\n';
    c->ending = true;
  }
  while ((lf = memchr(search, '\n', (size_t)(end - search)))) {
    size_t length = (size_t)(lf + 1 - from);
    memcpy(to, prefix, PREFIX);
    memcpy(to + PREFIX, from, length);
    to += PREFIX + length;
    from = search = lf + 1;
  }
  c->have = (size_t)(end - from);
  if (c->have == sizeof c->line) {
    to = stpcpy(to, "error: line too long\n");
    c->ending = true;
  } else if (from != c->line && c->have) {
    memmove(c->line, from, c->have);
  }
  if (to != out) send_out(c, (size_t)(to - out));
}

static void on_connection(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a Unix socket, which needs none */
    struct conn *c = spare;
    if (c) spare = c->next_spare;
    else if (!(c = malloc(sizeof *c))) {
      close(fd);
      return;
    }
    memset(c, 0, offsetof(struct conn, line));
    c->fd = fd;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
  }
  if (errno == EMFILE || errno == ENFILE) usleep(10000); /* the listener stays readable: do not spin */
}

static int listen_on_port(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 4096)) return -1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("listening on tcp://127.0.0.1:%d\n", ntohs(address.sin_port));
  return listener;
}

static int listen_on_path(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  unlink(path);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return -1;
  printf("listening on unix:%s\n", path);
  return listener;
}

int main(int argc, char **argv) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  const char *where = argc > 1 ? argv[1] : "0";
  int listener =
      strncmp(where, "unix:", 5) == 0 ? listen_on_path(where + 5) : listen_on_port((uint16_t)atoi(where));
  if (listener < 0) {
    perror("epoll: Cannot listen");
    return 1;
  }
  fflush(stdout);

  epoll_fd = epoll_create1(0);
  struct epoll_event events[EVENTS], accepting = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &accepting);
  for (;;) {
    int n = epoll_wait(epoll_fd, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (!c) on_connection(listener);
      else if (c->unsent) on_writable(c);
      else on_readable(c);
    }
  }
}
