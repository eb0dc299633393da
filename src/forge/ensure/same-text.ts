/** Forges may change line ends, and cut white space at the end of what they store. */
export const sameText = (stored: string, specified: string): boolean => normal(stored) === normal(specified);

const normal = (text: string): string => text.toWellFormed().replaceAll("\r\n", "\n").trim();
