/**
 * Probabilities corrected for being several: how probable it is that chance gives one of them that is so small (Holm
 * 1979). One that stays below a level is below it whatever the others are.
 */
export function holm(probabilities: readonly number[]): number[] {
  const order = probabilities.map((_, place) => place).sort((a, b) => probabilities[a]! - probabilities[b]!);
  const corrected: number[] = [];
  let most = 0;
  order.forEach((place, smaller) => {
    most = Math.max(most, (probabilities.length - smaller) * probabilities[place]!);
    corrected[place] = Math.min(1, most);
  });
  return corrected;
}
