// Which errors of Nix are about the code that is evaluated and nothing else, by their words in Nix 2.8 to 2.34: every
// evaluation of it finds them again. A host can throw any words: `evaluation-log.ts` knows by a mark what was thrown.
const own = [
  /^(?:attribute '.*' missing|attribute '.*' in selection path '.*' not found)/,
  /^undefined variable '/,
  /^syntax error, /,
  /^infinite recursion encountered/,
  /^assertion '.*' failed/s,
  /^assertion failed$/,
  /^evaluation aborted with the following error message: /,
  // 2.8: "value is a string while a set was expected"; 2.19: "expected a set but found a string: …".
  /^value is .* while .* was expected/,
  /^expected .* but found /,
  /^cannot (?:coerce|compare|convert|add|subtract|multiply|divide|decode|append) /,
  /called (?:without required|with unexpected) argument '/,
  /^attempt to call something which is not a function/,
  /^(?:dynamic )?attribute '.*' already defined/,
  /^duplicate formal function argument '/,
  /^division by zero$/,
  /^(?:list index \d+ is out of bounds|cannot access element at index)/,
  // 2.26: "'builtins.elemAt' called with index 5 on a list of size 1", "'builtins.head' called on an empty list".
  /^'builtins\.\w+' called (?:with index|on an empty list)/,
  /^cannot build '.*' during evaluation because the option 'allow-import-from-derivation' is disabled/,
  /^access to absolute path '.*' is forbidden in pure eval(?:uation)? mode/,
  /^flake '[^']*' does not provide attribute /,
] as const;

/** Whether an error, without its trace, is about the evaluated code and nothing else. */
export const isOwnError = (error: string): boolean => own.some((pattern) => pattern.test(error.trim()));
