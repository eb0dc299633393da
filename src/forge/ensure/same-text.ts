/** Forges may change line ends, and cut white space at the end of what they store. */
export const sameText = (stored: string, wished: string): boolean => normal(stored) === normal(wished);

const normal = (text: string): string => text.toWellFormed().replaceAll("\r\n", "\n").trim();
