import { expect, test } from "vitest";
import { scriptBuild } from "../../../test/support/build-events.ts";
import { createFakeBuilds } from "../../../test/support/fake-builds.ts";
import { reportOf } from "../../../test/support/update-reports.ts";
import type { BuildReader } from "../../bus/bus.ts";
import { composeProposal, type PublishLogs } from "./compose-proposal.ts";

const [failure] = reportOf().failures;
const drvPath = failure?.drvPath ?? "";

async function proposalOf(publishLogs: PublishLogs) {
  const { state } = scriptBuild()
    .accepted(["web"])
    .derivationFailed("openssl-3.0.14", ["web"], { drvPath: drvPath as never, log: 3 });
  const builds: BuildReader = {
    ...createFakeBuilds([], () => "built"),
    async *readLogs() {
      yield { log: 3, seq: 0, lost: 0, text: "E: 1 failed\n" } as never;
    },
  };
  const report = reportOf({
    failures: failure === undefined ? [] : [{ ...failure, input: "nixpkgs", hosts: ["web", "db"] }],
  });
  const lock = `sha256-${"a".repeat(43)}=`;
  const parts = { report, lock, states: [state], builds, secrets: [], publishLogs, maxBodyBytes: 60_000 };
  return composeProposal(parts, AbortSignal.timeout(60_000));
}

test("a full log comes with a comment that says what it is of", async () => {
  const { body, comments } = await proposalOf("full");
  expect(body).toContain("- full log: `web-openssl-3.0.14-00000000.log.gz`, attached to a comment below");
  expect(comments.map((comment) => [comment.file?.name, comment.body, comment.bodyWithoutFile])).toEqual([
    [
      "web-openssl-3.0.14-00000000.log.gz",
      expect.stringContaining(
        "Log of `openssl-3.0.14`, which 2 hosts need. The full log is attached. It ends with:\n\n```text\nrunning tests",
      ),
      expect.stringContaining("This forge does not take the file. The log ends with:"),
    ],
  ]);
});

test("without full logs none is promised, and without any nothing of them is shown", async () => {
  const excerpt = await proposalOf("excerpt");
  expect(excerpt.comments).toEqual([]);
  expect(excerpt.body).toContain("E: 1 failed");
  expect(excerpt.body).not.toContain("full log");
  const never = await proposalOf("never");
  expect(never.comments).toEqual([]);
  expect(never.body).toContain("- **Caused by:** the input `nixpkgs`");
  expect(never.body).not.toMatch(/E: 1 failed|nix log|full log/);
});
