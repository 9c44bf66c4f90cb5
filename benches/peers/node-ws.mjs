// A camera relay with Node.js and ws: pictures come in at /publish/{camera} and go to everybody at
// /stream?cameras={camera} with one send a viewer.
import { WebSocketServer } from "ws";

const viewers = new Map();

function listen() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  return new Promise((resolve) => server.on("listening", () => resolve(server)));
}

const [ingest, view] = await Promise.all([listen(), listen()]);

ingest.on("connection", (socket, request) => {
  const camera = request.url.split("/").at(-1);
  socket.on("message", (picture) => {
    for (const viewer of viewers.get(camera) ?? []) viewer.send(picture);
  });
});

view.on("connection", (socket, request) => {
  const camera = new URL(request.url, "http://view").searchParams.get("cameras");
  if (!viewers.has(camera)) viewers.set(camera, new Set());
  const all = viewers.get(camera);
  all.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => all.delete(socket));
});

console.log(`ingest 127.0.0.1:${ingest.address().port}\nview 127.0.0.1:${view.address().port}`);
