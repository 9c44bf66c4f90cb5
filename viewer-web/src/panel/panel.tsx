// How this page and the server do: charts of the last minutes, and the same figures as tables.

import "./panel.css";
import { httpUrl } from "@framecast/shared/address";
import type { Observable } from "@framecast/shared/observable";
import { parseMessage } from "@framecast/shared/wire/json";
import type { JSX } from "preact";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { chartsOf, extentOf, type Chart } from "./charts.ts";
import { copyText } from "./copy.ts";
import { History } from "./history.ts";
import { LINES, Plot } from "./plot.tsx";
import { readServer, type PageCamera } from "./reading.ts";

const EVERY_MS = 1_000;

export interface PanelProps {
  /** This page's figures, camera by camera. */
  figures: () => Readonly<Record<string, PageCamera>>;
  /** Set to false by whoever wants it closed. */
  shown: Observable<boolean>;
}

export default function Panel({ figures, shown, onClose }: PanelProps & { onClose: () => void }): JSX.Element {
  const { history, answer } = useReadings(figures);
  const [camera, choose] = useState<string>();
  const [copied, setCopied] = useState("");
  const element = useRef<HTMLElement>(null);
  const ids = { title: useId(), view: useId() };
  useEffect(() => {
    const before = document.activeElement;
    element.current?.focus();
    return shown.watch((wanted) => {
      if (wanted) return;
      if (before instanceof HTMLElement) before.focus();
      onClose();
    });
  }, []);
  const copy = (): void => {
    const text = JSON.stringify({ at: new Date().toISOString(), samples: history.samples, page: figures(), stats: answer.current ?? null }, null, 2);
    copyText(text).then((done) => setCopied(done ? "Copied" : "Not allowed"), () => undefined);
    setTimeout(() => setCopied(""), 3_000);
  };
  const newest = history.samples.at(-1);
  const cameras = Object.keys(newest?.cameras ?? {}).sort();
  const times = history.samples.map(({ atMs }) => atMs / 1000);
  const viewers = (camera === undefined ? newest?.server : newest?.cameras[camera])?.viewers;
  return (
    <aside
      ref={element}
      class="panel"
      tabIndex={-1}
      aria-labelledby={ids.title}
      data-testid="panel"
      data-samples={history.samples.length}
      onKeyDown={(event) => {
        // The wall's own keys are not meant while this is used.
        event.stopPropagation();
        if (event.key === "Escape") shown.set(false);
      }}
    >
      <header class="panel-head">
        <h2 id={ids.title}>Performance</h2>
        <button class="button panel-copy" type="button" data-testid="panel-copy" onClick={copy}>
          <span aria-live="polite">{copied || "Copy JSON"}</span>
        </button>
        <button class="button" type="button" data-testid="panel-close" onClick={() => shown.set(false)}>
          Close
        </button>
      </header>
      <p class="panel-view">
        <label for={ids.view}>Of</label>
        <select id={ids.view} data-testid="panel-view" value={camera ?? ""} onChange={(event) => choose(event.currentTarget.value === "" ? undefined : event.currentTarget.value)}>
          <option value="">all cameras together</option>
          {camera !== undefined && !cameras.includes(camera) && <option value={camera}>{camera}</option>}
          {cameras.map((id) => (
            <option key={id} value={id}>
              {id}
            </option>
          ))}
        </select>
        <span class="figure" data-testid="panel-viewers">{viewers === null || viewers === undefined ? (newest === undefined ? "Measuring…" : "The server does not answer") : viewers === 1 ? "1 viewer" : `${viewers} viewers`}</span>
      </p>
      {chartsOf(history.samples, camera).map((chart) => (
        <ChartOf key={chart.key} chart={chart} times={times} />
      ))}
    </aside>
  );
}

function ChartOf({ chart, times }: { chart: Chart; times: readonly number[] }): JSX.Element {
  return (
    <section class="panel-chart">
      <h3>
        {chart.title} <span class="panel-unit">{chart.unit}</span>
      </h3>
      {chart.lines.length === 0 ? (
        <p class="panel-none">None in the last minutes.</p>
      ) : (
        <>
          <Plot chart={chart} times={times} />
          <table data-testid={`table-${chart.key}`}>
            <caption class="unseen">
              {chart.title}, {chart.unit}
            </caption>
            <thead>
              <tr>
                <td />
                <th scope="col">now</th>
                <th scope="col">least</th>
                <th scope="col">most</th>
              </tr>
            </thead>
            <tbody>
              {chart.lines.map((line, index) => {
                const { now, least, most } = extentOf(line);
                return (
                  <tr key={line.label}>
                    <th scope="row">
                      <Swatch index={index} />
                      {line.label}
                    </th>
                    <td>{now}</td>
                    <td>{least}</td>
                    <td>{most}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </>
      )}
    </section>
  );
}

/** The line as the chart draws it. */
function Swatch({ index }: { index: number }): JSX.Element {
  const look = LINES[index % LINES.length] ?? LINES[0];
  return (
    <svg class="swatch" viewBox="0 0 24 8" aria-hidden="true">
      <path d="M0 4h24" style={{ stroke: `var(${look.color})` }} stroke-width="2.5" stroke-dasharray={look.dash.join(" ")} />
    </svg>
  );
}

/** Reads once a second while it is shown. */
function useReadings(figures: PanelProps["figures"]): { history: History; answer: { current: unknown } } {
  const history = useMemo(() => new History(), []);
  const answer = useRef<unknown>(undefined);
  const [, setCount] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = async (): Promise<void> => {
      const startMs = performance.now();
      const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(2 * EVERY_MS)]);
      const response = await fetch(httpUrl("api/stats", import.meta.env.VITE_VIEW_URL, location.href), { cache: "no-store", signal }).catch(() => undefined);
      const stats = response?.ok === true ? parseMessage(await response.text().catch(() => "")) : undefined;
      if (abort.signal.aborted) return;
      answer.current = stats;
      history.add({ atMs: Date.now(), server: readServer(stats), page: figures() });
      setCount((count) => count + 1);
      again(EVERY_MS - (performance.now() - startMs));
    };
    const again = (waitMs: number): void => {
      timer = setTimeout(() => {
        ask().catch(() => again(EVERY_MS));
      }, Math.max(0, waitMs));
    };
    again(0);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, []);
  return { history, answer };
}
