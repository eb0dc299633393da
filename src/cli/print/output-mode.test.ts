import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import type { Environment } from "../../base/environment.ts";
import { decideAscii, decideColour, decideOutputMode } from "./output-mode.ts";

test.each<[string, Environment, boolean, string]>([
  ["a person at a terminal", {}, true, "tty"],
  ["a pipe", {}, false, "plain"],
  ["a dumb terminal", { TERM: "dumb" }, true, "plain"],
  ["a terminal in CI", { CI: "true" }, true, "plain"],
  ["an empty CI variable", { CI: "" }, true, "tty"],
  ["GitHub", { CI: "true", GITHUB_ACTIONS: "true" }, false, "github"],
  ["Gitea", { CI: "true", GITEA_ACTIONS: "true" }, false, "github"],
  ["the variable", { HOMELAB_DEPLOY_OUTPUT: "jsonl", GITHUB_ACTIONS: "true" }, true, "jsonl"],
  ["the variable that says auto", { HOMELAB_DEPLOY_OUTPUT: "auto" }, false, "plain"],
])("the output for %s", (_, environment, stderrIsTerminal, mode) => {
  expect(decideOutputMode({ environment, stderrIsTerminal })).toBe(mode);
});

test("the option wins over everything", () => {
  const environment = { HOMELAB_DEPLOY_OUTPUT: "jsonl", CI: "true" };
  expect(decideOutputMode({ output: "tty", environment, stderrIsTerminal: false })).toBe("tty");
  expect(decideOutputMode({ output: "auto", environment, stderrIsTerminal: true })).toBe("plain");
});

test("an unknown output in the environment is a mistake to be said", () => {
  const decide = (): unknown =>
    decideOutputMode({ environment: { HOMELAB_DEPLOY_OUTPUT: "pretty" }, stderrIsTerminal: true });
  expect(decide).toThrow(HomelabError);
  expect(decide).toThrow('HOMELAB_DEPLOY_OUTPUT is "pretty"');
});

test.each<[string, Environment, boolean, boolean]>([
  ["a terminal", {}, true, true],
  ["a pipe", {}, false, false],
  ["NO_COLOR", { NO_COLOR: "1" }, true, false],
  ["an empty NO_COLOR", { NO_COLOR: "" }, true, true],
  ["NO_COLOR and FORCE_COLOR", { NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
  ["FORCE_COLOR in a pipe", { FORCE_COLOR: "3" }, false, true],
  ["FORCE_COLOR=0", { FORCE_COLOR: "0" }, true, false],
  ["FORCE_COLOR=0 in CI", { FORCE_COLOR: "0", GITHUB_ACTIONS: "true" }, false, false],
  ["CLICOLOR_FORCE in a pipe", { CLICOLOR_FORCE: "1" }, false, true],
  ["CLICOLOR_FORCE=0, which forces nothing", { CLICOLOR_FORCE: "0" }, true, true],
  ["CI with colours", { GITHUB_ACTIONS: "true" }, false, true],
  ["CI that we do not know", { CI: "true" }, false, false],
  ["a dumb terminal", { TERM: "dumb" }, true, false],
])("colour for %s", (_, environment, isTerminal, expected) => {
  expect(decideColour({ environment, isTerminal })).toBe(expected);
});

test("--color wins over the environment", () => {
  expect(decideColour({ colour: "always", environment: { NO_COLOR: "1" }, isTerminal: false })).toBe(true);
  expect(decideColour({ colour: "never", environment: { FORCE_COLOR: "1" }, isTerminal: true })).toBe(false);
  expect(decideColour({ colour: "auto", environment: {}, isTerminal: true })).toBe(true);
});

test.each<[string, Environment, boolean]>([
  ["no locale at all", {}, false],
  ["a UTF-8 locale", { LANG: "de_DE.UTF-8" }, false],
  ["another spelling of it", { LANG: "C.utf8" }, false],
  ["the C locale", { LANG: "C" }, true],
  ["LC_ALL before LANG", { LC_ALL: "POSIX", LANG: "en_US.UTF-8" }, true],
  ["an empty LC_ALL", { LC_ALL: "", LC_CTYPE: "en_US.UTF-8", LANG: "C" }, false],
])("ASCII for %s", (_, environment, expected) => {
  expect(decideAscii({ environment })).toBe(expected);
  expect(decideAscii({ ascii: true, environment })).toBe(true);
});
