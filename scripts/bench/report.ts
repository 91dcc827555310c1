/** One line of the table: a figure, what it is measured against, and what their ratio must reach. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly baseline: string
  /** Of each round, in its order. */
  readonly values: readonly number[]
  readonly baselineValues: readonly number[]
  readonly demand: { readonly atLeast: number } | { readonly atMost: number }
}

export interface Verdict {
  readonly name: string
  readonly unit: string
  readonly value: number
  readonly baseline: string
  readonly baselineValue: number
  /** Median over the rounds of value divided by baseline. */
  readonly ratio: number
  readonly demand: string
  readonly met: boolean
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = 0, high = 0] = [sorted[middle - 1], sorted[middle]]
  return sorted.length % 2 === 1 ? high : (low + high) / 2
}

export function judge(figure: Figure): Verdict {
  const { name, unit, baseline, values, baselineValues, demand } = figure
  const ratio = median(values.map((value, round) => value / (baselineValues[round] ?? NaN)))
  const met = 'atLeast' in demand ? ratio >= demand.atLeast : ratio <= demand.atMost
  return {
    ...{ name, unit, baseline, ratio, met },
    value: median(values),
    baselineValue: median(baselineValues),
    demand: 'atLeast' in demand ? `≥ ${demand.atLeast}` : `≤ ${demand.atMost}`,
  }
}

export function table(verdicts: readonly Verdict[]): string {
  const rows = [
    ['case', 'measured', 'baseline', 'ratio', 'must reach', ''],
    ...verdicts.map((each) => [
      each.name,
      `${short(each.value)} ${each.unit}`,
      `${each.baseline} ${short(each.baselineValue)}`,
      each.ratio.toFixed(2),
      each.demand,
      each.met ? 'met' : 'MISSED',
    ]),
  ]
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => [...(row[column] ?? '')].length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function short(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value.toPrecision(3)
}
