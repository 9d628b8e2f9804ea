/* What `tsecho ping -i 0` does, in C: one connection, one line in flight, as fast as replies come.
 *
 *   gcc -O2 -Wall -Wextra -o exchange exchange.c
 *   ./exchange tcp://127.0.0.1:PORT COUNT SIZE
 *
 * Each exchange is one write and the reads until LF on a blocking socket, between two readings of the monotonic and of
 * the wall clock; the reply's payload is compared. The result is one JSON object on stdout: exchanges per second, round
 * trips in µs. Anything unexpected is one line on stderr and exit 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SIZE = 65000, DIGITS = 10 };

static void die(const char *what) {
  fprintf(stderr, "exchange: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  struct sockaddr_in target = {.sin_family = AF_INET};
  char host[64];
  int port;
  size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0, size = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
  if (count < 1 || size < DIGITS || size > MOST_SIZE || sscanf(argv[1], "tcp://%63[0-9.]:%d", host, &port) != 2 ||
      inet_pton(AF_INET, host, &target.sin_addr) != 1) {
    fputs("usage: exchange tcp://IPV4:PORT COUNT SIZE\n", stderr);
    return 2;
  }
  target.sin_port = htons((uint16_t)port);
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&target, sizeof target) < 0) die("Cannot connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

  static char line[MOST_SIZE + 1], reply[MOST_SIZE + 512];
  uint64_t *took = malloc(count * sizeof *took), wall = 0;
  if (!took) die("No memory");
  memset(line, 'x', size);
  line[size] = '\n';
  uint64_t start = now_ns(CLOCK_MONOTONIC);
  for (size_t i = 0; i < count; i++) {
    char digits[DIGITS + 1];
    snprintf(digits, sizeof digits, "%0*zu", DIGITS, i % 10000000000u);
    memcpy(line, digits, DIGITS);
    wall += now_ns(CLOCK_REALTIME);
    uint64_t sent = now_ns(CLOCK_MONOTONIC);
    if (write(fd, line, size + 1) != (ssize_t)size + 1) die("Cannot write");
    size_t length = 0;
    do {
      ssize_t n = read(fd, reply + length, sizeof reply - length);
      if (n <= 0) die("Cannot read");
      length += (size_t)n;
    } while (reply[length - 1] != '\n' && length < sizeof reply);
    took[i] = now_ns(CLOCK_MONOTONIC) - sent;
    wall += now_ns(CLOCK_REALTIME);
    if (length < size + 1 || memcmp(reply + length - size - 1, line, size + 1) != 0) die("A wrong reply");
  }
  double seconds = (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e9;
  qsort(took, count, sizeof *took, by_value);
  printf("{\"rate\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f}\n", (double)count / seconds, (double)took[count / 2] / 1e3,
         (double)took[count * 99 / 100] / 1e3);
  return wall == 0; /* so that its readings are not optimised away */
}
