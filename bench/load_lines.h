/* The load generator's lines, and what their replies must look like. */

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PREFIX = 30 }; /* bytes of "[2026-11-23T03:37:00.123456Z] " */

static size_t line_length, reply_length;
static uint64_t ring_lines; /* a power of two; `ring` holds them twice so that any batch is contiguous */
static char *ring;
static uint64_t stamp_outside_us; /* the worst that stamp_is_good has let pass */

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

/* xorshift64: repeatable payloads and choices. */
static uint64_t next_random(void) {
  static uint64_t x = 0x9E3779B97F4A7C15u;
  x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return x;
}

/* Makes lines of `size` bytes, LF included, at least `count` of them; of any bytes but LF if `of_all_bytes`. */
static void make_lines(size_t size, int count, bool of_all_bytes) {
  line_length = size;
  reply_length = PREFIX + line_length;
  ring_lines = 64;
  while (ring_lines < (uint64_t)count) ring_lines *= 2;
  size_t bytes = ring_lines * line_length;
  ring = malloc(2 * bytes);
  if (!ring) die("no memory for %zu bytes of lines", 2 * bytes);
  for (uint64_t i = 0; i < ring_lines; i++) {
    char *line = ring + i * line_length;
    for (size_t j = 0; j < line_length - 1; j++) {
      do line[j] = (char)(of_all_bytes ? next_random() >> 32 : 33 + (next_random() >> 32) % 94);
      while (line[j] == '\n');
    }
    if (line_length > 1) line[0] = (char)('0' + i % 64); /* neighbours differ where even the short check looks */
    line[line_length - 1] = '\n';
  }
  memcpy(ring + bytes, ring, bytes);
}

static const char *line_at(uint64_t number) { return ring + (number & (ring_lines - 1)) * line_length; }

/* Microseconds since 1970 of a stamp as in "2026-11-23T03:37:00.123456Z", or 0 when it is none. */
static uint64_t parse_stamp(const char *stamp) {
  static char known[20]; /* the last stamp up to its seconds, and its value */
  static uint64_t known_s;
  if (memcmp(stamp, known, 19) != 0) {
    struct tm t = {0};
    memcpy(known, stamp, 19);
    const char *end = strptime(known, "%Y-%m-%dT%H:%M:%S", &t);
    if (!end || *end) return 0;
    known_s = (uint64_t)timegm(&t);
  }
  uint64_t us = 0;
  for (int i = 20; i < 26; i++) {
    if (stamp[i] < '0' || stamp[i] > '9') return 0;
    us = us * 10 + (uint64_t)(stamp[i] - '0');
  }
  return stamp[19] == '.' && stamp[26] == 'Z' ? known_s * 1000000 + us : 0;
}

/* Whether a reply's stamp lies within a second of its line's sending and receiving; both in ns of the wall clock. */
static bool stamp_is_good(const char *reply, uint64_t sent_at, uint64_t now) {
  uint64_t stamp = parse_stamp(reply + 1), low = sent_at / 1000, high = now / 1000;
  uint64_t outside = stamp < low ? low - stamp : stamp > high ? stamp - high : 0;
  if (!stamp || outside > 1000000 || reply[28] != ']' || reply[29] != ' ') return false;
  if (outside > stamp_outside_us) stamp_outside_us = outside;
  return true;
}

__attribute__((noreturn)) static void die_of_reply(const char *reply, size_t length, const char *why) {
  if (length > 160) length = 160;
  fprintf(stderr, "load: %s: \"", why);
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)reply[i];
    fprintf(stderr, byte >= 32 && byte < 127 && byte != '"' && byte != '\\' ? "%c" : "\\x%02x", byte);
  }
  fputs("\"\n", stderr);
  exit(1);
}
