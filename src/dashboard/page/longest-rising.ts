// Which of several things keep their order: the fewest others have to move.

/** @returns the places in `numbers` of a longest series in which each number is greater than the one before it */
export function longestRising(numbers: readonly number[]): readonly number[] {
  /** By length of a series: the place of the smallest number that ends one. */
  const ends: number[] = [];
  /** By place: the place before it in its series. */
  const before: (number | undefined)[] = [];
  for (const [place, number] of numbers.entries()) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[ends[middle] ?? 0] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    before[place] = ends[low - 1];
    ends[low] = place;
  }
  const series: number[] = [];
  for (let place = ends.at(-1); place !== undefined; place = before[place]) series.push(place);
  return series.toReversed();
}
