"""The page of a table: a template that `render` fills with a Table."""

HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ table.title }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #1b1f24; }
table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: left; padding-bottom: .6rem; }
/* As wide as the window, and in it however far a wide table is scrolled. */
caption div { position: sticky; left: 0; width: fit-content; max-width: min(60rem, 100vw - 4rem); }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; }
th, td { border-bottom: 1px solid #d8dee4; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
th.text { text-align: left; }
th[colspan] { text-align: center; }
thead tr:last-child th { border-bottom: 2px solid #1b1f24; }
.best { font-weight: 700; } .second { text-decoration: underline; }
.small { color: #57606a; font-size: .85em; }
td.small { text-align: left; }
.scroll { overflow-x: auto; }
</style></head><body><div class="scroll"><table>
<caption><div><strong>{{ table.title }}</strong>
{%- for line in table.notes %}<br>{{ line }}{% endfor %}
<br>Small below a number: its interval
{%- if table.is_bounded %}; below it conformal bounds at {{ level }} %, mean over seeds{% endif %}.
{%- if table.is_printed %} Printed numbers are the paper's, with its own networks.{% endif %}
{%- for line in table.contradictions %}<br>{{ line }}{% endfor %}</div></caption>
<thead><tr><th></th>{% if table.is_of_blocks %}<th></th>{% endif %}
{%- for label, span in table.groups %}
<th colspan="{{ span }}" scope="colgroup">{{ label }}</th>{% endfor %}</tr>
<tr><th></th>{% if table.is_of_blocks %}<th class="text" scope="col">Block</th>{% endif %}
{%- for head in table.heads %}<th scope="col">{{ head }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for label, block, reason, cells in table.rows %}
<tr><td>{{ label }}</td>
{%- if table.is_of_blocks %}<td class="small">{{ block }}</td>{% endif %}
{%- if reason %}<td class="small" colspan="{{ cells | length }}">not computed: {{ reason }}
{%- set printed = cells | map(attribute="reported") | select | list %}
{%- if printed %}; printed: {{ printed | join(", ") }}{% endif %}</td>
{%- else %}{% for cell in cells %}
<td><span class="{{ cell.mark }}">{{ cell.text or "–" }}</span>{{ cell.sign }}
{%- if cell.std %} <span class="small">± {{ cell.std }}</span>{% endif %}
{%- if cell.interval[0] %}
<br><span class="small">{{ cell.interval | join(" to ") }}</span>{% endif %}
{%- if cell.conformal[0] %}
<br><span class="small" title="conformal bounds">{{ cell.conformal | join(" to ") }}</span>
{%- endif %}
{%- if cell.reported %}<br><span class="small">printed {{ cell.reported }}</span>{% endif %}</td>
{%- endfor %}{% endif %}</tr>
{%- endfor %}
</tbody></table></div></body></html>
"""
