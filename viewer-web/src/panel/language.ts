// uPlot asks for the browser's language while it loads. WebKitGTK and WPE give the system's locale as it is, and where
// none is set, as on many a kiosk, that is "C", which is no language: uPlot throws, and the panel does not open.

try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en", configurable: true });
}
