import { expect, test } from "vitest";
import { scriptBuild, type BuildScript } from "../../../test/support/build-events.ts";
import { parseHostName } from "../../protocol/names.ts";
import { breakageOf, judgePart } from "./breakage.ts";

const [web, db] = [parseHostName("web"), parseHostName("db")];
const broken = (name: string, hosts: readonly string[]): BuildScript =>
  scriptBuild()
    .accepted(["web", "db"])
    .derivationFailed(name, hosts)
    .hostsFinished("build-failed", hosts)
    .hostsFinished(
      "built",
      ["web", "db"].filter((host) => !hosts.includes(host)),
    );
const throws = (reason: string): BuildScript =>
  scriptBuild().accepted(["web", "db"]).hostsFinished("eval-failed", ["web", "db"], { reason });

const breakage = breakageOf(broken("openssl-3.0.14", ["web"]).state, [web]);
const judge = ({ state }: BuildScript) => judgePart({ type: "built", state }, breakage);
const onWeb = (): BuildScript => scriptBuild().accepted(["web"]);

test("the same derivation in another version is the same failure", () => {
  expect(judge(broken("openssl-3.0.13", ["web"]))).toBe("bad");
});

test("a system that failed, and builds the next time, is no input's fault", () => {
  const build = (): BuildScript => onWeb().evaluated("web");
  const failed = breakageOf(build().hostsFinished("build-failed", ["web"]).state, [web]);
  const again = build().hostsFinished("built", ["web"]).state;
  expect(judgePart({ type: "built", state: again }, failed)).toEqual({
    noVerdict: "the failure of web does not repeat: it has just built the same system",
  });
  expect(judgePart({ type: "built", state: onWeb().hostsFinished("built", ["web"]).state }, failed)).toBe(
    "good",
  );
});

test("what is broken for a reason of its own says nothing", () => {
  expect(judge(broken("firefox-140.0", ["web"]))).toBe("other");
  expect(judge(throws("attribute 'x' missing"))).toBe("other");
});

test("what all hosts build with is good, and without a verdict nothing is", () => {
  expect(judge(onWeb().hostsFinished("built", ["web"]))).toBe("good");
  expect(judge(onWeb().hostsFinished("infra-failed", ["web"], { reason: "no disk\nat all" }))).toEqual({
    noVerdict: "no disk",
  });
  expect(judge(onWeb())).toHaveProperty("noVerdict");
  expect(judgePart({ type: "unknown", reason: "away" }, breakage)).toEqual({ noVerdict: "away" });
});

test("an error of the evaluation is known again in spite of hashes, positions and versions", () => {
  const path = (hash: string): string => `/nix/store/${hash.repeat(32)}-source/lib.nix:12`;
  const before = breakageOf(throws(`${path("a")}: the option foo is gone since 24.11`).state, [web, db]);
  const same = throws(`${path("b")}: the option foo is gone since 25.05`).state;
  const other = throws(`${path("b")}: the option bar is gone since 25.05`).state;
  expect(judgePart({ type: "built", state: same }, before)).toBe("bad");
  expect(judgePart({ type: "built", state: other }, before)).toBe("other");
});

test("a host that the update takes away is missing at a bad revision; another one that is missing says nothing", () => {
  const gone = breakageOf(onWeb().hostsFinished("built", ["web"]).state, [db]);
  expect(judgePart({ type: "missing", hosts: ["db"] }, gone)).toBe("bad");
  expect(judgePart({ type: "missing", hosts: ["web"] }, gone)).toBe("other");
});

test("a flake that does not even list its hosts is known again by the error", () => {
  const unlisted = scriptBuild()
    .accepted([])
    .finished("failed", "undefined variable 'foo' at line 3\nmore").state;
  const before = breakageOf(unlisted, [web]);
  expect(judgePart({ type: "unlisted", reason: "undefined variable 'foo' at line 4" }, before)).toBe("bad");
  expect(judgePart({ type: "unlisted", reason: "undefined variable 'bar' at line 4" }, before)).toBe("other");
  expect(judgePart({ type: "unlisted", reason: "undefined variable 'foo'" }, breakage)).toBe("other");
});
