const closedStreams =
  "nghttp2 forgets a stream when it closes and ignores what still comes for it, as section 5.1 lets it for a while";
const priorities =
  "nghttp2 has no priorities of RFC 7540 any more (RFC 9113, section 5.3.2) and ignores PRIORITY frames";
const headersOnly =
  "the case waits for DATA of the answer to a GET; gRPC has none to give, and refuses a GET with headers alone";

/**
 * Cases of h2spec, "section: name", that the gRPC port fails, with the reason. One that passes has to leave the list.
 */
export const allowedFailures: Readonly<Record<string, string>> = {
  "generic/2: Sends a WINDOW_UPDATE frame on half-closed (remote) stream": headersOnly,
  "generic/2: Sends a PRIORITY frame on half-closed (remote) stream": headersOnly,
  "http2/5.1: closed: Sends a DATA frame after sending RST_STREAM frame": closedStreams,
  "http2/5.1: closed: Sends a HEADERS frame after sending RST_STREAM frame": closedStreams,
  "http2/5.1: closed: Sends a DATA frame": closedStreams,
  "http2/5.1: closed: Sends a HEADERS frame": closedStreams,
  "http2/5.1.1: Sends stream identifier that is numerically smaller than previous": closedStreams,
  "http2/5.1.2: Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded":
    "each GET is answered before the next one, so that none is concurrent; interop.test.ts does it with streams that stay",
  "http2/5.3.1: Sends PRIORITY frame that depend on itself": priorities,
  "http2/6.3: Sends a PRIORITY frame with 0x0 stream identifier": priorities,
  "http2/6.7: Sends a PING frame with ACK":
    "Node ends a connection on an answer to a ping that it did not send, which is stricter than section 6.7",
  "http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream":
    "nghttp2 ends the connection and not only the stream, which section 5.4.1 allows",
};

/** Cases that h2spec skips by itself: they need an answer with DATA. */
export const notApplicable: readonly string[] = [
  "http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE",
  "http2/6.9.1: Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame",
  "http2/6.9.2: Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame",
  "http2/6.9.2: Sends a SETTINGS frame for window size to be negative",
];
