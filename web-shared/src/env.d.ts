// Build-time settings of both pages; see the vite.config.ts of each.
interface ImportMetaEnv {
  /** Base URL of the ingest port, where the page is hosted elsewhere. */
  readonly VITE_INGEST_URL?: string;
  /** Base URL of the view port, where the page is hosted elsewhere. */
  readonly VITE_VIEW_URL?: string;
}
