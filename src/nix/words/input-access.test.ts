import { expect, test } from "vitest";
import { fetchFault } from "./input-access.ts";

const refusal = "fatal: could not read Username for 'https://git.lan': terminal prompts disabled";
const unreachable = "fatal: unable to access 'https://git.lan/x/': Could not resolve host: git.lan";
const revision = "c27a82655beb104bd70d6b812f8889032c883983";

test.each([
  "program 'git' failed with exit code 128",
  "Failed to fetch git repository 'https://git.lan/x'",
  `Cannot find Git revision '${revision}' in ref 'main' of repository 'https://git.lan/x'! Please make sure that the rev exists on the ref you've specified or add allRefs = true; to fetchGit.`,
  "resolving Git reference 'refs/heads/main': revspec 'refs/heads/main' not found",
])("of %j git's own words say why", (error) => {
  expect(fetchFault(error, [refusal])).toEqual({ message: refusal, isDenied: true });
  const fault = fetchFault(error, [unreachable]);
  expect(fault.isDenied).toBe(false);
  expect(fault.message).toContain(`: ${unreachable}`);
  expect(fault.message).not.toContain("Please make sure");
});

test("what git says is nothing to an error that is not git's", () => {
  const said = ["git@git.lan: Permission denied (publickey)."];
  const locked = "opening lock file '/nix/var/nix/db/big-lock': Permission denied";
  expect(fetchFault(locked, said)).toEqual({ message: locked, isDenied: false });
});

test("of a failed download the server's page is left out", () => {
  const error = `unable to download 'https://git.lan/x.tar.gz': HTTP error 404 ('File not found')

       response body:

       <!DOCTYPE HTML>
       <html lang="en">`;
  // In the words of 2.8, and of those that unpack it while it comes.
  for (const said of [error, `Failed to open archive (Source threw exception: error: ${error})`]) {
    expect(fetchFault(said, [])).toEqual({
      message: "unable to download 'https://git.lan/x.tar.gz': HTTP error 404 ('File not found')",
      isDenied: false,
    });
  }
});

test("a download that is not allowed is refused, and one that is limited is not", () => {
  expect(fetchFault("unable to download 'https://git.lan/x': HTTP error 401", []).isDenied).toBe(true);
  const limited = `unable to download 'https://api.github.com/x': HTTP error 403 ('rate limit exceeded')

       response body: API rate limit exceeded`;
  expect(fetchFault(limited, [])).toEqual({
    message: "unable to download 'https://api.github.com/x': HTTP error 403 ('rate limit exceeded')",
    isDenied: false,
  });
});
