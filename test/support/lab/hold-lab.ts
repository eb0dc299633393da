// Starts a lab with a host, says where it is, and stays: for the test that kills whoever has a lab.
import { startLab } from "./lab.ts";

const lab = await startLab();
const [system] = await lab.build("held", [{}]);
if (system === undefined) throw new Error("nothing was built");
await lab.install("held", system);
const { sharedDirectory, address } = lab;
console.log(JSON.stringify({ directory: sharedDirectory.replace(/\/shared$/, ""), address }));
setInterval(() => undefined, 1000);
