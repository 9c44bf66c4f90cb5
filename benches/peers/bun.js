// A camera relay in Bun: pictures come in at /publish/{camera} and go to everybody at
// /stream?cameras={camera} with the server's own publish.
function listen(isIngest) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      const url = new URL(request.url);
      const camera = isIngest ? url.pathname.split("/").at(-1) : url.searchParams.get("cameras");
      return server.upgrade(request, { data: { camera } }) ? undefined : new Response(null, { status: 400 });
    },
    websocket: {
      perMessageDeflate: false,
      maxPayloadLength: 8 << 20,
      open(socket) {
        if (!isIngest) socket.subscribe(socket.data.camera);
      },
      message(socket, picture) {
        if (isIngest) view.publish(socket.data.camera, picture);
      },
    },
  });
}

const view = listen(false);
const ingest = listen(true);
console.log(`ingest 127.0.0.1:${ingest.port}\nview 127.0.0.1:${view.port}`);
