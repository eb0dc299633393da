import { expect, test } from "vitest";
import { scriptBuild, type BuildScript } from "../../../test/support/build-events.ts";
import { parseHostName } from "../../protocol/names.ts";
import { breakageOf, judgeRevision } from "./breakage.ts";

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
const judge = ({ state }: BuildScript) => judgeRevision({ type: "built", state }, breakage);
const onWeb = (): BuildScript => scriptBuild().accepted(["web"]);

test("the same derivation in another version is the same failure", () => {
  expect(judge(broken("openssl-3.0.13", ["web"]))).toBe("bad");
});

test("a revision that is broken for a reason of its own is skipped", () => {
  expect(judge(broken("firefox-140.0", ["web"]))).toBe("skip");
  expect(judge(throws("attribute 'x' missing"))).toBe("skip");
});

test("what all hosts build with is good, and without a verdict nothing is", () => {
  expect(judge(onWeb().hostsFinished("built", ["web"]))).toBe("good");
  expect(judge(onWeb().hostsFinished("infra-failed", ["web"]))).toBe("skip");
  expect(judge(onWeb())).toBe("skip");
  expect(judgeRevision({ type: "unknown" }, breakage)).toBe("skip");
});

test("an error of the evaluation is known again in spite of hashes, positions and versions", () => {
  const path = (hash: string): string => `/nix/store/${hash.repeat(32)}-source/lib.nix:12`;
  const before = breakageOf(throws(`${path("a")}: the option foo is gone since 24.11`).state, [web, db]);
  const same = throws(`${path("b")}: the option foo is gone since 25.05`).state;
  const other = throws(`${path("b")}: the option bar is gone since 25.05`).state;
  expect(judgeRevision({ type: "built", state: same }, before)).toBe("bad");
  expect(judgeRevision({ type: "built", state: other }, before)).toBe("skip");
});

test("a host that the update takes away is missing at a bad revision; another one that is missing says nothing", () => {
  const gone = breakageOf(onWeb().hostsFinished("built", ["web"]).state, [db]);
  expect(judgeRevision({ type: "missing", hosts: ["db"] }, gone)).toBe("bad");
  expect(judgeRevision({ type: "missing", hosts: ["web"] }, gone)).toBe("skip");
});
