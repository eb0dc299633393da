import { expect, test } from "vitest";
import { redactReport } from "./redact-report.ts";
import { reportOf } from "../../../test/support/update-reports.ts";

test("a secret that stands where a text is cut is taken out whole", () => {
  const secret = "correct-horse-battery-staple-4711";
  const failure = { name: "web", hosts: ["web"], reason: "", tail: "" };
  const half = Math.floor(secret.length / 2);
  const report = redactReport(
    {
      ...reportOf(),
      failures: [
        {
          ...failure,
          reason: `${"x".repeat(2000 - half)}${secret}`,
          tail: `${secret}${"y".repeat(64 * 1024 - half)}`,
        },
      ],
    },
    [secret],
  );
  expect(report.redactions).toBe(2);
  const [found] = report.failures;
  expect(found?.reason.length).toBeLessThanOrEqual(2000);
  expect(found?.tail.length).toBeLessThanOrEqual(64 * 1024);
  expect(found?.reason).not.toContain(secret.slice(0, half - 1));
  expect(found?.tail).not.toContain(secret.slice(-half + 1));
});
