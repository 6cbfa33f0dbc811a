"""The page around a drawn run: its look, its filter. Words in {{}} are filled in."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>{{title}}</title>
<style>
:root { color-scheme: light dark; --paper: #fcfcfb; --ink: #22252b; --faint: #7a808c;
  --region: #f0f1f4; --grid: #e2e4e9; --fault: #e8590c; --bad: #d6204e; --accept: #2563c9;
  --intent: #7b4fc9; --call: #b7791f; --told: #21865b; --shard: #0f8a9d; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171b; --ink: #e6e8ec; --faint: #8d94a1;
  --region: #1e2127; --grid: #2b2f37; --fault: #ff9248; --bad: #ff5c82; --accept: #79a9ff;
  --intent: #b99aff; --call: #edba5a; --told: #5fd19b; --shard: #56cfe1; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 14px/1.45 system-ui, sans-serif; }
header { position: sticky; top: 0; padding: 12px 20px; background: var(--paper);
  border-bottom: 1px solid var(--grid); }
h1 { font-size: 16px; margin: 0 0 6px; } ul { margin: 0 0 8px; padding-left: 18px; }
li b { color: var(--bad); } select { font: inherit; max-width: 60ch; }
main { overflow-x: auto; padding: 12px 20px; }
text { font: 11px ui-monospace, monospace; fill: var(--ink); }
.region { fill: var(--region); } .name { font: 600 13px system-ui; text-anchor: middle; }
.tick { text-anchor: end; fill: var(--faint); } .grid { stroke: var(--grid); stroke-width: .5; }
.life { stroke: var(--faint); stroke-width: 1.5; } .process { font-weight: 600; }
.fault rect { fill: var(--fault); opacity: .18; } .fault text { fill: var(--fault); }
.note { color: var(--faint); } .note circle { fill: currentColor; }
.note.accept { color: var(--accept); } .note.intent { color: var(--intent); }
.note.call { color: var(--call); } .note.told { color: var(--told); }
.note.shard { color: var(--shard); } .note.end { color: var(--bad); }
.travels { stroke: currentColor; stroke-width: 1; } #tip path { fill: var(--faint); }
.violation line { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 6 3; }
.violation text { fill: var(--bad); font-weight: 700; }
.dim { opacity: .1; } .note:hover text { font-weight: 700; }
</style></head><body>
<header><h1>{{title}}</h1>{{violations}}
<label>Message <select id="which"><option value="">all</option>{{options}}</select></label></header>
<main><svg xmlns="http://www.w3.org/2000/svg" width="{{width}}" height="{{height}}" role="img"
 aria-label="space-time diagram"><defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4"
 markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>
{{drawing}}
</svg></main>
<script>
document.getElementById("which").addEventListener("change", (event) => {
  const which = event.target.value;
  for (const note of document.querySelectorAll(".note"))
    note.classList.toggle("dim", Boolean(which && note.dataset.m && note.dataset.m !== which));
});
</script></body></html>
"""
