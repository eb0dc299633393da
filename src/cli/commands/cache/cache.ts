// `homelab-deploy cache …`
import type { Command } from "@commander-js/extra-typings";
import type { Choose } from "../../command.ts";
import { addCachePin } from "./cache-pin.ts";
import { addCacheReport } from "./cache-report.ts";
import { addCacheRetain } from "./cache-retain.ts";
import { addCacheStatus } from "./cache-status.ts";
import { addCacheVerify } from "./cache-verify.ts";
import { addCacheWait } from "./cache-wait.ts";
import { addCacheWarm } from "./cache-warm.ts";

export function addCache(cache: Command, choose: Choose): void {
  addCacheVerify(cache, choose);
  addCacheWarm(cache, choose);
  addCacheStatus(cache, choose);
  addCacheWait(cache, choose);
  addCacheRetain(cache, choose);
  addCachePin(cache, choose);
  addCacheReport(cache, choose);
}
