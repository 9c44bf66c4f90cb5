#!/usr/bin/python3
"""An RTSP camera for tests: GStreamer's RTSP server with a picture that tells its own time.

Belongs here: what a camera on the network can be. Does not: what the relay makes of it.

Prints its address, such as `rtsp://127.0.0.1:40001/stream1`, as its first line once it takes
connections, and `clients N` whenever the number of its RTSP connections has changed. Reads commands
from standard input, a line each: `freeze` (the connections stay, nothing more comes), `thaw`, `quit`.
Ends when standard input does, so that no camera outlives its test.

All who watch share one encoder, however many they are. Sound, where asked for, is AAC: a tone in the even seconds
of the clock, and silence in the odd ones.

The clock: the two upper rows of blocks, 24 blocks a row, each `width // 24` pixels wide and high and
either black (luma 16) or white (235), from the left, the highest bit first. 44 bits are Unix
milliseconds when the picture was made, the last 4 are the sum of the eleven 4-bit digits before them.

Needs Debian's gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good
gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav, and the system's own Python.
"""

import argparse
import math
import struct
import sys
import threading
import time

PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav"
)


def missing(what):
    sys.exit(f"the RTSP test camera lacks {what}. Run: apt-get install {PACKAGES}")


try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer
except (ImportError, ValueError) as error:
    missing(str(error))

COLUMNS = 24
# Samples of sound a second.
RATE = 48_000


def arguments():
    parser = argparse.ArgumentParser(description="An RTSP camera for tests.")
    parser.add_argument("--codec", choices=["h264", "h265", "mjpeg"], default="h264")
    parser.add_argument("--bframes", type=int, default=0, help="B-frames between two others (h264, h265)")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--gop", type=int, default=0, help="pictures between key frames; 0: as many as fps")
    parser.add_argument("--kbps", type=int, default=2000)
    parser.add_argument("--high", action="store_true", help="H.264 High with CABAC and 8x8, not Baseline")
    parser.add_argument("--aac", action="store_true", help="with sound")
    parser.add_argument("--user", default="", help="asks for a login, with --password")
    parser.add_argument("--password", default="")
    parser.add_argument("--basic", action="store_true", help="basic authentication, not digest")
    parser.add_argument("--check", action="store_true", help="only says whether all it needs is there")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--path", default="/stream1")
    return parser.parse_args()


class Picture:
    """Raw I420 pictures: a gradient, a bar that moves, and the clock."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        ramp = bytes(40 + x * 160 // width for x in range(width))
        rows = (bytes([40 + y * 160 // height]) * (width // 2) + ramp[width // 2 :] for y in range(height))
        self.luma = b"".join(rows)
        chroma = width // 2 * (height // 2)
        self.chroma = bytes([110]) * chroma + bytes([140]) * chroma
        self.ramp = bytes(60 + x % 128 for x in range(width)) * 2
        self.bar = min(height // 4, 64)

    def at(self, now_ms, number):
        width, block = self.width, self.width // COLUMNS
        luma = bytearray(self.luma)
        shift = number * 4 % width
        top = self.height // 2
        strip = self.ramp[shift : shift + width] * self.bar
        luma[top * width : top * width + len(strip)] = strip
        digits = sum(now_ms >> 4 * place & 15 for place in range(11)) & 15
        bits = f"{now_ms & (1 << 44) - 1:044b}{digits:04b}"
        for row in range(2):
            cells = bits[row * COLUMNS : (row + 1) * COLUMNS]
            line = b"".join((b"\xeb" if bit == "1" else b"\x10") * block for bit in cells)
            for y in range(row * block, (row + 1) * block):
                luma[y * width : y * width + len(line)] = line
        return bytes(luma) + self.chroma


class Feed:
    """Pushes pictures into a pipeline at their time, until its end."""

    def __init__(self, camera, source, sound):
        self.camera, self.source, self.sound, self.ended = camera, source, sound, threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        # A picture that came while the pipeline gets its base time would be stamped with the machine's uptime, and
        # the sink would wait for as long with all that follow.
        waited_for = [source for source in (self.source, self.sound) if source]
        while any(source.current_state != Gst.State.PLAYING for source in waited_for):
            if self.ended.wait(0.005):
                return
        started, number = time.monotonic(), 0
        while not self.ended.wait(max(0, started + number / self.camera.fps - time.monotonic())):
            number += 1
            if self.camera.frozen:
                continue
            now_ms = time.time_ns() // 1_000_000
            picture = self.camera.picture.at(now_ms, number)
            if self.source.emit("push-buffer", Gst.Buffer.new_wrapped(picture)) != Gst.FlowReturn.OK:
                return
            if self.sound:
                sound = self.camera.silence if now_ms // 1000 % 2 else self.camera.tone
                self.sound.emit("push-buffer", Gst.Buffer.new_wrapped(sound))


class Camera:
    def __init__(self, options):
        width, height = (int(side) for side in options.size.split("x"))
        self.options, self.fps, self.frozen = options, options.fps, False
        self.picture = Picture(width, height)
        self.size = f"width={width},height={height}"
        self.clients = 0
        # As long as a picture is shown; a whole number of periods at the usual fps.
        samples = range(RATE // self.fps)
        self.tone = struct.pack(f"<{len(samples)}f", *(0.2 * math.sin(math.tau * 480 * n / RATE) for n in samples))
        self.silence = bytes(len(self.tone))

    def encoder(self):
        options = self.options
        gop = options.gop or options.fps
        # Without B-frames as cameras do it: no picture waits for another.
        tune = "" if options.bframes else "tune=zerolatency"
        if options.codec == "mjpeg":
            return "jpegenc quality=80 ! rtpjpegpay name=pay0 pt=26"
        if options.codec == "h265":
            extra = f"bframes={options.bframes}:open-gop=0"
            return (
                f"x265enc {tune} speed-preset=ultrafast bitrate={options.kbps} key-int-max={gop} "
                f"option-string={extra} ! h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1"
            )
        speed = "veryfast" if options.high else "ultrafast"
        profile = "high" if options.high else "main" if options.bframes else "baseline"
        return (
            f"x264enc {tune} speed-preset={speed} bitrate={options.kbps} key-int-max={gop} "
            f"bframes={options.bframes} b-adapt=false rc-lookahead=0 ! video/x-h264,profile={profile} ! "
            "h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency"
        )

    def launch(self):
        source = (
            "appsrc name=source is-live=true do-timestamp=true format=time block=false max-buffers=4 "
            f"leaky-type=downstream caps=video/x-raw,format=I420,{self.size},framerate={self.fps}/1"
        )
        # Not audiotestsrc, which can be sought in: then PLAY's "from the beginning" fails.
        sound = (
            "appsrc name=sound is-live=true do-timestamp=true format=time block=false "
            f"caps=audio/x-raw,format=F32LE,layout=interleaved,rate={RATE},channels=1 ! "
            "audioconvert ! avenc_aac bitrate=64000 ! aacparse ! rtpmp4gpay name=pay1 pt=97"
        )
        return f"( {source} ! {self.encoder()} {sound if self.options.aac else ''} )"

    def configure(self, _factory, media):
        sources = (media.get_element().get_by_name_recurse_up(name) for name in ("source", "sound"))
        feed = Feed(self, *sources)
        media.connect("unprepared", lambda _media: feed.ended.set())

    def guard(self, server, factory):
        options = self.options
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth = GstRtspServer.RTSPAuth()
        if options.basic:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), token)
        else:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(options.user, options.password, token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        for permission in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("user", permission, True)
        factory.set_permissions(permissions)

    def count(self, change):
        self.clients += change
        print("clients", self.clients, flush=True)

    def connected(self, _server, client):
        self.count(1)
        client.connect("closed", lambda _client: self.count(-1))

    def command(self, loop, stream, _condition):
        line = stream.readline()
        word = line.strip()
        if not line or word == "quit":
            loop.quit()
            return False
        if word in ("freeze", "thaw"):
            self.frozen = word == "freeze"
        return True

    def run(self):
        loop = GLib.MainLoop()
        server = GstRtspServer.RTSPServer()
        server.set_address("127.0.0.1")
        server.set_service(str(self.options.port))
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(self.launch())
        factory.set_shared(True)
        factory.set_latency(0)
        factory.connect("media-configure", self.configure)
        server.get_mount_points().add_factory(self.options.path, factory)
        if self.options.user:
            self.guard(server, factory)
        server.connect("client-connected", self.connected)
        if not server.attach(None):
            sys.exit(f"the RTSP test camera cannot listen on port {self.options.port}")
        GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, lambda *event: self.command(loop, *event))
        print(f"rtsp://127.0.0.1:{server.get_bound_port()}{self.options.path}", flush=True)
        loop.run()


def main():
    options = arguments()
    Gst.init(None)
    if options.check:
        for element in ("x264enc", "x265enc", "jpegenc", "h265parse", "rtph264pay", "avenc_aac"):
            if not Gst.ElementFactory.find(element):
                missing(f"the element {element}")
        print(Gst.version_string())
        return
    needed = {"h264": "x264enc", "h265": "x265enc", "mjpeg": "jpegenc"}[options.codec]
    for element in [needed, "rtph264pay"] + (["avenc_aac"] if options.aac else []):
        if not Gst.ElementFactory.find(element):
            missing(f"the element {element}")
    Camera(options).run()


if __name__ == "__main__":
    main()
