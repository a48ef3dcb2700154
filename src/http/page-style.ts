/** The style of server-rendered pages: quiet lines, one teal for action, light and dark by the system. Tokens are those of the web application. */

const light = `--bg:#f8fcfc;--surface:#fff;--sunken:#eff5f6;--line:#d9e1e4;--line-strong:#748389;--ink:#182429;--muted:#4f5d63;
--accent:#006b74;--on-accent:#fff;--accent-soft:#d5f2f3;--package:#aa5910;--danger:#b6322d;--focus:#007dae`;
const dark = `--bg:#0f171c;--surface:#162025;--sunken:#0a1215;--line:#2c373d;--line-strong:#68777d;--ink:#e2e9eb;--muted:#a1adb1;
--accent:#6bcac9;--on-accent:#031a1e;--accent-soft:#14363a;--package:#eca851;--danger:#f7857d;--focus:#5ec6ec`;

/** For the index below `o/`, within the page: it has no address, so that a crawler gets the files and nothing else. */
export const indexStyle: string = `:root{color-scheme:light dark;${light}}@media (prefers-color-scheme:dark){:root{${dark}}}
body{margin:0;background:var(--bg);color:var(--ink);font:400 14px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif;overflow-wrap:anywhere}
main{max-width:960px;margin:0 auto;padding:32px 24px 48px}h1{margin:0 0 24px;font-size:22px;line-height:1.3}
table{width:100%;border-collapse:collapse}th{padding:0 16px 8px 0;font-size:12px;font-weight:400;text-align:left;color:var(--muted)}
td{height:32px;padding:5px 16px 5px 0;border-top:1px solid var(--line);font-variant-numeric:tabular-nums}
td:first-child{width:100%}td+td,th+th{padding-right:0;padding-left:16px;text-align:right;white-space:nowrap;color:var(--muted)}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px;border-radius:4px}
@media (max-width:600px){main{padding:24px 16px}td{height:48px}.files td:nth-child(2),.files th:nth-child(2){padding-right:0}td+td+td,th+th+th{display:none}}
`;

export const pageStyle = `:root{color-scheme:light dark;${light};
--sans:"Source Sans 3 Variable","Source Sans 3",system-ui,-apple-system,"Segoe UI",sans-serif;
--mono:"JetBrains Mono Variable","JetBrains Mono",ui-monospace,SFMono-Regular,Menlo,monospace}
@media (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:400 16px/1.6 var(--sans);-webkit-text-size-adjust:100%;overflow-wrap:anywhere}
main,footer{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding:48px 0 24px;border-bottom:1px solid var(--line)}
.brow{margin:0 0 4px;font-size:13px;line-height:1.45;color:var(--package);font-weight:600}
h1{margin:0;font-size:28px;line-height:1.2;font-weight:650;letter-spacing:-.01em;text-wrap:balance}
h2{margin:0 0 12px;font-size:18px;line-height:1.3;font-weight:650}
.lead{margin:12px 0 0;max-width:72ch;white-space:pre-line;color:var(--muted)}
.facts{display:flex;flex-wrap:wrap;gap:8px 24px;margin:16px 0 0;font-size:14px;line-height:1.45}
.facts div{display:flex;gap:6px}
.facts dt{flex:none;color:var(--muted)}
.facts dd{margin:0;font-variant-numeric:tabular-nums}
.facts .wide{flex-basis:100%}
code,pre,.mono{font-family:var(--mono);font-size:13px;line-height:1.55}
a{color:var(--accent);text-underline-offset:.18em;text-decoration-thickness:1px}
a:hover{text-decoration-thickness:2px}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px;border-radius:4px}
.columns{display:grid;grid-template-columns:minmax(0,1fr);gap:40px;padding:32px 0 48px}
@media (min-width:960px){.columns{grid-template-columns:minmax(0,1fr) 360px;gap:56px}.side{position:sticky;top:24px;align-self:start}}
section+section{margin-top:40px}
.side section+section{margin-top:32px}
.button{display:block;width:100%;min-height:44px;padding:10px 20px;border:0;border-radius:8px;background:var(--accent);color:var(--on-accent);
font:600 16px/24px var(--sans);text-align:center;text-decoration:none;cursor:pointer;transition:opacity 120ms ease-out}
.button:hover{opacity:.88}
.quiet{margin:8px 0 0;font-size:13px;line-height:1.5;color:var(--muted)}
.readme{max-width:72ch}
.readme>:first-child{margin-top:0}.readme>:last-child{margin-bottom:0}
.readme h2{margin:32px 0 12px;font-size:22px}
.readme h3{margin:28px 0 8px;font-size:18px;line-height:1.3;font-weight:650}
.readme h4,.readme h5{margin:24px 0 8px;font-size:16px;line-height:1.4;font-weight:650}
.readme p,.readme ul,.readme ol{margin:0 0 16px}
.readme ul,.readme ol{padding-left:24px}
.readme li{margin:4px 0}.readme li>ul,.readme li>ol{margin:4px 0}
.readme code{padding:2px 5px;border-radius:4px;background:var(--sunken)}
.readme hr{margin:32px 0;border:0;border-top:1px solid var(--line)}
.readme .plain{margin:0;font:inherit;white-space:pre-wrap}
.readme td,.readme th{text-align:left;white-space:normal;vertical-align:top;color:inherit}
.readme th{color:var(--muted)}
blockquote{margin:0 0 16px;padding-left:16px;border-left:3px solid var(--line);color:var(--muted)}
.code{margin:0 0 16px;padding:12px 16px;border-radius:8px;background:var(--sunken);overflow-x:auto;overflow-wrap:normal}
.scroll{margin:0 0 16px;overflow-x:auto;overflow-wrap:normal}
details{border-top:1px solid var(--line)}
details:last-of-type{border-bottom:1px solid var(--line)}
summary{padding:10px 0;font-weight:600;cursor:pointer;list-style-position:outside;margin-left:18px}
.command{margin:0 0 8px;padding:12px;border-radius:8px;background:var(--sunken);white-space:pre-wrap;user-select:all;-webkit-user-select:all}
details .quiet{margin:0 0 12px}
table{width:100%;border-collapse:collapse;font-size:14px;line-height:1.45}
th{padding:0 12px 8px 0;font-size:12px;font-weight:400;text-align:left;color:var(--muted)}
td{height:36px;padding:6px 12px 6px 0;border-top:1px solid var(--line);font-variant-numeric:tabular-nums}
th:last-child,td:last-child{padding-right:0}
td+td,th+th{text-align:right;white-space:nowrap;color:var(--muted)}
td a{text-decoration:none}td a:hover{text-decoration:underline}
.folder{font-weight:600}
.files td:first-child{width:100%}
.crumbs{margin:0 0 16px;font-size:14px;color:var(--muted)}
.crumbs h2{display:inline;margin:0;font-size:18px;color:var(--ink)}
.lists{display:flex;flex-wrap:wrap;gap:4px 16px;margin:0;padding:0;list-style:none;font-size:13px}
.note{margin:0;white-space:pre-wrap}
.tray{margin:0 0 32px;padding:20px 24px;border:1px solid var(--line);border-left:3px solid var(--package);border-radius:10px;background:var(--surface)}
.terms{max-height:240px;margin:0 0 16px;overflow:auto;white-space:pre-wrap;font-size:14px;line-height:1.55}
label{display:block;margin:0 0 6px;font-size:14px;font-weight:600}
input{width:100%;min-height:44px;margin:0 0 16px;padding:8px 12px;border:1px solid var(--line-strong);border-radius:8px;background:var(--surface);color:var(--ink);font:inherit}
.fault{margin:0 0 16px;color:var(--danger);font-weight:600;font-size:14px}
.notice{max-width:440px;min-height:72vh;padding-top:16vh}
.notice+footer{max-width:440px}
.notice h1{font-size:22px}
.notice p{color:var(--muted)}
.notice form{margin-top:24px}
.notice .fault{color:var(--danger)}
.status{margin:0 0 4px;font-family:var(--mono);font-size:13px;color:var(--package)!important}
footer{padding-bottom:48px;font-size:13px;color:var(--muted)}
footer p{display:flex;align-items:center;gap:8px;margin:0;padding-top:24px;border-top:1px solid var(--line)}
footer p::before{content:"";flex:none;width:20px;height:20px;border-radius:5px;background:linear-gradient(to bottom,var(--accent) 62%,var(--package) 62%)}
@media (max-width:600px){main,footer{padding-left:16px;padding-right:16px}header{padding-top:32px}.modified{display:none}td{height:48px}.tray{padding:16px}}
@media (prefers-reduced-motion:reduce){*{transition:none!important}}
@media (forced-colors:active){.button{border:1px solid}}
@media print{.side,form{display:none}}
`;
