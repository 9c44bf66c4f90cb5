// One chart as a picture. Colours come from the page's theme; lines differ by their dashes, too.

// First, so that uPlot finds a language.
import "./language.ts";
import "uplot/dist/uPlot.min.css";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { spoken, type Chart } from "./charts.ts";

const HEIGHT = 150;
/** One a line; a chart with more lines begins again. */
export const LINES = [
  { color: "--accent", dash: [] },
  { color: "--wait", dash: [6, 3] },
  { color: "--live", dash: [2, 2] },
  { color: "--bad", dash: [9, 3, 2, 3] },
] as const;

interface PlotProps {
  chart: Chart;
  /** Unix seconds, one a value. */
  times: readonly number[];
}

export function Plot({ chart, times }: PlotProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const labels = chart.lines.map(({ label }) => label).join("|");
  const data: uPlot.AlignedData = [[...times], ...chart.lines.map(({ values }) => values)];
  const newest = useRef(data);
  newest.current = data;

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(options(chart, element), newest.current, element);
    };
    draw();
    const sizes = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    sizes.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      scheme.removeEventListener("change", draw);
      sizes.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [labels]);
  useEffect(() => plot.current?.setData(data), [data]);

  return <div ref={place} class="plot" role="img" aria-label={spoken(chart)} data-testid={`plot-${chart.key}`} />;
}

function options({ lines }: Chart, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: `11px ${color("--font")}` };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    // From zero, so that a calm line looks calm; never flat on the floor.
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, (most ?? 0) * 1.1)] } },
    axes: [
      { ...axis, values: (_plot, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString("en-GB")), space: 70, size: 24 },
      { ...axis, values: (_plot, splits) => splits.map((at) => String(Number(at.toFixed(2)))), space: 30, size: 46 },
    ],
    series: [{}, ...lines.map((_line, index) => {
      const look = LINES[index % LINES.length] ?? LINES[0];
      return { stroke: color(look.color), width: 2, dash: [...look.dash], points: { show: false } };
    })],
  };
}
