import { expect, test } from "vitest";
import { isOwnError } from "./own-error.ts";

test.each([
  "attribute 'missingAttribute' missing",
  "undefined variable 'pkgz'",
  "syntax error, unexpected '}', expecting ';'",
  "infinite recursion encountered",
  "assertion '(lib.versionAtLeast version \"2\")' failed",
  "evaluation aborted with the following error message: 'no'",
  "value is a string while a set was expected",
  'expected a set but found a string: "x"',
  "cannot coerce a set to a string",
  "function 'anonymous lambda' called without required argument 'lib'",
  "anonymous function at /nix/store/x-source/flake.nix:3:5 called with unexpected argument 'x'",
  "attempt to call something which is not a function but a set",
  // 2.34
  "'builtins.elemAt' called with index 5 on a list of size 1",
  "'builtins.head' called on an empty list",
  "cannot build '/nix/store/x.drv' during evaluation because the option 'allow-import-from-derivation' is disabled",
])("about the code alone: %s", (text) => expect(isOwnError(text)).toBe(true));

test.each([
  "experimental Nix feature 'ca-derivations' is disabled; use '--extra-experimental-features ca-derivations' to override",
  "a 'aarch64-linux' with features {} is required to build '/nix/store/x.drv', but I am a 'x86_64-linux' with features {}",
  "builder for '/nix/store/x-source.tar.gz.drv' failed with exit code 1",
  "Cannot build '/nix/store/x.drv'.\nReason: builder failed with exit code 1.",
  "unable to download 'https://x': HTTP error 503",
  "getting Git object 'c879f7': failed to parse loose object: invalid header",
  "getting status of '/nix/store/x': No such file or directory",
  "path '/nix/store/x-source' is not valid",
  "stack overflow; max-call-depth exceeded",
  "the option 'no-such' does not exist",
])("not certain: %s", (text) => expect(isOwnError(text)).toBe(false));
