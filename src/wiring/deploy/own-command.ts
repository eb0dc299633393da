/** How this program was started, to start it again: Node, its options, and the file. */
export const ownCommand = (): readonly string[] => [
  process.execPath,
  ...process.execArgv,
  ...(process.argv[1] === undefined ? [] : [process.argv[1]]),
];
