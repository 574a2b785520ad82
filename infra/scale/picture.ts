/** infra/scale.svg: the largest recorded run, minute by minute, with the outage in its middle. The same run draws the same file. */

import type { RecordedRun } from './recorded.ts'

interface Line {
  label: string
  values: number[]
  /** One of the colours in `style`. */
  colour: 'blue' | 'orange' | 'grey'
}

interface Panel {
  title: string
  lines: Line[]
  /** How a value is written beside the axis. */
  unit?: string
}

const width = 860
const left = 64
const right = 150
const panelHeight = 118
const gap = 46
const top = 34
const plotWidth = width - left - right

export function drawScale(runs: RecordedRun[]): string {
  const run = runs.at(-1)
  if (!run) throw new Error('Nothing is recorded: npm run scale')
  const { minutes, outage, mailboxes, awayShare } = run
  const inMinutes = (seconds: number[]) => seconds.map(one => one / 60)
  const share = (values: number[], most: number) => values.map(one => (100 * one) / most)
  const panels: Panel[] = [
    {
      title: 'In a minute',
      lines: [
        { label: 'polls', values: minutes.polls, colour: 'blue' },
        { label: 'mails found', values: minutes.received, colour: 'orange' },
      ],
    },
    {
      title: 'Mailboxes that were read in this minute: by how many minutes later than their interval wants',
      lines: [
        { label: 'the latest', values: inMinutes(minutes.readLateMost), colour: 'grey' },
        { label: '99 of 100', values: inMinutes(minutes.readLate99), colour: 'orange' },
        { label: 'the middle', values: inMinutes(minutes.readLateMiddle), colour: 'blue' },
      ],
    },
    {
      title: 'The hottest partition in its fullest second, of what DynamoDB gives one',
      unit: '%',
      lines: [
        { label: 'reads, of 3,000', values: share(minutes.hottestReads, 3_000), colour: 'blue' },
        { label: 'writes, of 1,000', values: share(minutes.hottestWrites, 1_000), colour: 'orange' },
      ],
    },
    {
      title: 'Messages',
      lines: [
        { label: 'waiting', values: minutes.waiting, colour: 'blue' },
        { label: 'sent in the minute', values: minutes.sent, colour: 'orange' },
      ],
    },
  ]
  const count = minutes.polls.length
  const height = top + panels.length * (panelHeight + gap) + 8
  const drawn = panels.map((panel, index) =>
    drawPanel(panel, { y: top + 22 + index * (panelHeight + gap), count, outage }),
  )
  const title = `${mailboxes.toLocaleString('en')} mailboxes, polled every ${run.baseMinutes} minutes; the provider of ${awayShare * 100}% is away from minute ${outage.from} to ${outage.until}`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<style>${style}</style>
<rect class="paper" width="${width}" height="${height}"/>
<text class="title" x="${left}" y="22">${title}</text>
${drawn.join('\n')}
</svg>
`
}

interface Place {
  y: number
  count: number
  outage: RecordedRun['outage']
}

function drawPanel({ title, lines, unit = '' }: Panel, { y, count, outage }: Place): string {
  const step = niceStep(Math.max(...lines.flatMap(({ values }) => values)))
  const most = step * Math.max(1, Math.ceil(Math.max(...lines.flatMap(({ values }) => values)) / step))
  const atMinute = (minute: number) => fixed(left + (minute * plotWidth) / (count - 1))
  const atValue = (value: number) => fixed(y + panelHeight - (value * panelHeight) / most)
  const ticks = Array.from({ length: Math.round(most / step) + 1 }, (_, index) => index * step)
  const grid = ticks.map(
    value =>
      `<line class="grid" x1="${left}" x2="${left + plotWidth}" y1="${atValue(value)}" y2="${atValue(value)}"/>` +
      `<text class="axis" x="${left - 8}" y="${fixed(Number(atValue(value)) + 4)}">${value.toLocaleString('en')}${unit}</text>`,
  )
  const times = Array.from({ length: Math.floor((count - 1) / 10) + 1 }, (_, index) => index * 10)
  const clock = times.map(
    minute =>
      `<text class="clock" x="${atMinute(minute)}" y="${y + panelHeight + 16}">${minute === 0 ? 'minute 0' : minute}</text>`,
  )
  const curves = lines.map(({ values, colour }) => {
    const points = values.map((value, minute) => `${atMinute(minute)},${atValue(value)}`)
    return `<polyline class="curve ${colour}" points="${points.join(' ')}"/>`
  })
  // A legend in the order of the lines: at their ends the labels would lie on each other.
  const legend = lines.map(
    ({ label, colour }, index) =>
      `<line class="curve ${colour}" x1="${left + plotWidth + 14}" x2="${left + plotWidth + 32}" y1="${y + 10 + index * 20}" y2="${y + 10 + index * 20}"/>` +
      `<text class="label" x="${left + plotWidth + 38}" y="${y + 14 + index * 20}">${label}</text>`,
  )
  return [
    `<rect class="outage" x="${atMinute(outage.from)}" y="${y}" width="${fixed(Number(atMinute(outage.until)) - Number(atMinute(outage.from)))}" height="${panelHeight}"/>`,
    `<text class="label" x="${left}" y="${y - 8}">${title}</text>`,
    ...grid,
    ...clock,
    ...curves,
    ...legend,
  ].join('\n')
}

/** Of 1, 2 and 5 times a power of ten, the one that makes three to six ticks. */
function niceStep(most: number): number {
  const rough = Math.max(most, 1e-9) / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  return power * ([1, 2, 5].find(factor => factor * power >= rough) ?? 10)
}

const fixed = (value: number) => value.toFixed(1)

const style = `
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 14px; font-weight: 600 }
.axis { text-anchor: end; fill: #57606a; font-size: 11px }
.clock { text-anchor: middle; fill: #57606a; font-size: 11px }
.paper { fill: #ffffff }
.grid { stroke: #d0d7de; stroke-width: 1 }
.outage { fill: #cf222e; opacity: 0.09 }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round }
.blue { stroke: #0969da }
.orange { stroke: #bc4c00 }
.grey { stroke: #6e7781 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.axis, .clock { fill: #9198a1 }
.paper { fill: #0d1117 }
.grid { stroke: #30363d }
.outage { fill: #f85149; opacity: 0.16 }
.blue { stroke: #58a6ff }
.orange { stroke: #f0883e }
.grey { stroke: #8b949e }
}
`
