/**
 * Node's `http`. `import "node:http"` reads each of its exports, and one of them, WebSocket, loads the whole of undici then:
 * 45 ms of CPU at each start (getters in lib/http.js of Node 24).
 */
export const http = process.getBuiltinModule("node:http");
