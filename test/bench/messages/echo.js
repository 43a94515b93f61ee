// Sends each message of a WebSocket back, and tells how many came by each side. Plain JavaScript. Usage: echo.js PORT
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const counts = { legacy: 0, new: 0 };
const server = createServer((_, response) => response.end(JSON.stringify(counts)));
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket, request) => {
  const side = request.headers["x-side"];
  socket.on("message", (data, isBinary) => {
    counts[side] += 1;
    socket.send(data, { binary: isBinary });
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1");
