/** The value of a sample, by its name and labels as Prometheus writes them; null when it is not there. */
export function sample(text: string, series: string): number | null {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `))
  return line === undefined ? null : Number(line.slice(series.length + 1))
}
