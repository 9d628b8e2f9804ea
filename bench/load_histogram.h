/* Times of the load generator. Log-linear: 128 steps per power of two, so a value is known to within 0.8 %. */

#include <stdint.h>

enum { SUB_BITS = 7, SUB = 1 << SUB_BITS, BUCKETS = SUB * (64 - SUB_BITS + 1) };

struct histogram {
  uint64_t buckets[BUCKETS], recorded, largest; /* largest in ns */
};

static void record(struct histogram *h, uint64_t ns) {
  int shift = 63 - SUB_BITS - __builtin_clzll(ns | SUB);
  h->buckets[shift * SUB + (int)(ns >> shift)]++;
  h->recorded++;
  if (ns > h->largest) h->largest = ns;
}

/* µs: the middle of the bucket that holds the value at `fraction`. */
static double percentile_us(const struct histogram *h, double fraction) {
  uint64_t rank = (uint64_t)(fraction * (double)h->recorded), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += h->buckets[i];
    if (seen > rank) {
      int shift = i < SUB ? 0 : i / SUB - 1;
      double low = (double)(uint64_t)(i - shift * SUB) * (double)(1ull << shift);
      return (low + (double)(1ull << shift) / 2) / 1000;
    }
  }
  return (double)h->largest / 1000;
}
