import { expect, test } from "vitest";
import { fetchFault } from "./input-access.ts";

test("git's own words stand behind Nix's, and say whether the remote lets us in", () => {
  const said = ["fatal: could not read Username for 'https://git.lan': terminal prompts disabled"];
  expect(fetchFault("program 'git' failed with exit code 128", said)).toEqual({
    message: `program 'git' failed with exit code 128: ${said[0]}`,
    isDenied: true,
  });
  expect(fetchFault("Failed to fetch git repository 'https://git.lan/x'", said)).toMatchObject({
    isDenied: true,
  });
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
  expect(fetchFault(error, [])).toEqual({
    message: "unable to download 'https://git.lan/x.tar.gz': HTTP error 404 ('File not found')",
    isDenied: false,
  });
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
