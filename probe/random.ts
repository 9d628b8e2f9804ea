/** A source of numbers from 0 up to, not including, 1. */
export type Random = () => number;

/**
 * Random numbers that a seed repeats: xoshiro128** (Blackman and Vigna 2018), two draws for the 53 bits of a double.
 *
 * @param seed any number; its whole part counts, modulo 2^32.
 */
export function seededRandom(seed: number): Random {
  // The four words of the state are drawn from the seed by splitmix32, so that near seeds have far states.
  let mixed = seed >>> 0;
  const word = () => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let it = mixed;
    it = Math.imul(it ^ (it >>> 16), 0x21f0aaad);
    it = Math.imul(it ^ (it >>> 15), 0x735a2d97);
    return it ^ (it >>> 15);
  };
  let [a, b, c, d] = [word(), word(), word(), word()];
  const draw = () => {
    const five = Math.imul(b, 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  return () => ((draw() >>> 5) * 0x4000000 + (draw() >>> 6)) / 2 ** 53;
}
