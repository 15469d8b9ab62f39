// What a page can do beyond itself: copy an identifier, show times in the reader's zone, count down, move by keyboard,
// and let a chart over time be read point by point. Every page is whole without it.
(function () {
  "use strict";

  var said = document.getElementById("said").dataset;
  function each(root, selector, act) { Array.prototype.forEach.call(root.querySelectorAll(selector), act); }
  function two(n) { return (n < 10 ? "0" : "") + n; }

  // Times stand in UTC with UTC in their title; here they move into the reader's zone.
  function local(time) {
    var at = new Date(time.getAttribute("datetime")), exact = time.dataset.exact;
    if (isNaN(at) || time.dataset.local) { return; }
    var text = at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate());
    if (exact !== "day") { text += " " + two(at.getHours()) + ":" + two(at.getMinutes()); }
    if (exact === "second") { text += ":" + two(at.getSeconds()); }
    time.textContent = text;
    time.dataset.local = "1";
  }

  function copy(button) {
    var label = button.getAttribute("aria-label");
    navigator.clipboard.writeText(button.dataset.copy).then(function () {
      button.classList.add("done");
      button.setAttribute("aria-label", said.copied);
      button.title = said.copied;
      setTimeout(function () {
        button.classList.remove("done");
        button.setAttribute("aria-label", label);
        button.title = label;
      }, 1600);
    });
  }

  // The server's clock counts, not the reader's: what remains is reckoned from when the page came.
  function count(gate) {
    var clock = gate.querySelector(".left"), ring = gate.querySelector(".rest");
    if (!clock || gate.counting) { return; }
    gate.counting = true;
    var parts = clock.textContent.split(":").map(Number);
    var seconds = parts.reduce(function (sum, part) { return sum * 60 + part; }, 0);
    var whole = Number(gate.dataset.until) - Number(gate.dataset.from), end = performance.now() + seconds * 1000;
    var timer = setInterval(function () {
      clock = gate.querySelector(".left");
      ring = gate.querySelector(".rest");
      if (!gate.isConnected || !clock) { clearInterval(timer); gate.counting = false; return; }
      var left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      var h = Math.floor(left / 3600), m = Math.floor(left / 60) % 60;
      clock.textContent = left ? (h ? h + ":" + two(m) : m) + ":" + two(left % 60) : said.over;
      if (ring && whole > 0) { ring.setAttribute("stroke-dasharray", Math.round(1000 * left / whole) + " 1000"); }
    }, 1000);
  }

  // A chart over time reads the table beneath it.
  function chart(figure) {
    if (!window.uPlot || (figure.plot && figure.plot.root.isConnected)) { return; }
    if (figure.plot) { figure.plot.destroy(); }
    var times = [], values = [], texts = [];
    each(figure, "tbody tr", function (row) {
      var cell = row.querySelector("[data-value]");
      times.push(Date.parse(row.querySelector("time").getAttribute("datetime")) / 1000);
      values.push(Number(cell.dataset.value));
      texts.push(cell.textContent);
    });
    if (times.length < 2) { return; }
    var css = getComputedStyle(figure), ink = css.getPropertyValue("--faint").trim(), line = css.getPropertyValue("--c1").trim(), hair = css.getPropertyValue("--hair").trim();
    var frame = figure.querySelector(".frame"), label = figure.querySelector("figcaption").textContent;
    var money = texts[0].indexOf("\u00a0") >= 0;
    var room = document.createElement("div");
    figure.insertBefore(room, frame);
    var axis = { stroke: ink, grid: { stroke: hair, width: 1 }, ticks: { stroke: hair, width: 1 }, font: "12px " + css.fontFamily };
    var options = {
      width: Math.max(260, figure.clientWidth), height: 190, cursor: { y: false }, scales: { y: { range: function (u, low, high) { return [Math.min(0, low), Math.max(1, high * 1.06)]; } } },
      series: [{ label: figure.querySelector("th").textContent, value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, { label: label, stroke: line, width: 2, fill: line + "22", paths: money ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(), points: { show: false }, value: function (u, v, s, i) { return i === null ? "–" : texts[i]; } }],
      axes: [Object.assign({ values: function (u, ticks) { return ticks.map(function (s) { return tick(s, times[times.length - 1] - times[0]); }); } }, axis), Object.assign({ size: money ? 92 : 52, values: function (u, ticks) { return ticks.map(function (v) { return money ? scaled(v, values, texts) : v.toLocaleString("en"); }); } }, axis)]
    };
    figure.plot = new uPlot(options, [times, values], room);
    figure.plot.setLegend({ idx: times.length - 1 });
    frame.hidden = true;
    figure.querySelector(".ends").hidden = true;
  }

  function tick(seconds, span) {
    var at = new Date(seconds * 1000), day = two(at.getMonth() + 1) + "-" + two(at.getDate());
    return span > 172800 ? day : two(at.getHours()) + ":" + two(at.getMinutes()) + (span < 600 ? ":" + two(at.getSeconds()) : "");
  }

  // How many minor units make a unit is told by the figures themselves: the digits after the point.
  function scaled(v, values, texts) {
    var figure = texts[0].split("\u00a0")[0], point = figure.indexOf(".");
    var digits = point < 0 ? 0 : figure.length - point - 1;
    return (v / Math.pow(10, digits)).toLocaleString("en", { maximumFractionDigits: digits }).replace("-", "\u2212");
  }

  function wake(root) {
    each(root, "time[data-exact]", local);
    if (navigator.clipboard) { each(root, ".copy[hidden]", function (button) { button.hidden = false; }); }
    each(root, ".gate[data-until]", count);
    each(root, ".plot", chart);
  }

  // Inside the wallet's own app a page pays through the app's bridge. What the bridge says proves nothing: the way back has
  // the wallet asked.
  function pay(button) {
    var bridge = window.WeixinJSBridge;
    if (!bridge) { return; }
    button.disabled = true;
    bridge.invoke("getBrandWCPayRequest", JSON.parse(button.dataset.bridge), function (answer) {
      button.disabled = false;
      if (answer.err_msg === "get_brand_wcpay_request:ok") { location.assign(location.pathname.replace(/\/$/, "") + "/return"); }
    });
  }

  document.addEventListener("click", function (event) {
    var way = event.target.closest ? event.target.closest("[data-bridge]") : null;
    if (way) { pay(way); }
    var button = event.target.closest ? event.target.closest(".copy") : null;
    if (button) { copy(button); }
  });

  // Keys: "g" and a letter go to a room, "/" searches, "j" and "k" walk a list, "?" tells all this.
  var going = 0;
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { return; }
    var key = event.key;
    if (going && Date.now() - going < 1500) {
      going = 0;
      var room = document.querySelector('.rooms a[data-key="' + (/^[a-z]$/.test(key) ? key : "-") + '"]');
      if (room) { event.preventDefault(); room.click(); }
      return;
    }
    if (key === "g") { going = Date.now(); return; }
    if (key === "/") {
      var find = document.querySelector('[data-key="/"]');
      if (find) { event.preventDefault(); find.focus(); }
    }
    if (key === "?") { help(); }
    if (key === "j" || key === "k") { walk(key === "j" ? 1 : -1); }
  });

  function walk(step) {
    var links = Array.prototype.filter.call(document.querySelectorAll("main .list tbody tr, main .queue > li"), function (row) { return row.offsetParent; })
      .map(function (row) { return row.querySelector("a"); }).filter(Boolean);
    var at = links.findIndex(function (link) { return link.closest("tr, li").contains(document.activeElement); });
    var next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step))];
    if (next) { next.focus(); }
  }

  function help() {
    var dialog = document.getElementById("keys");
    if (!dialog || dialog.open || !dialog.showModal) { return; }
    var list = dialog.querySelector("dl");
    list.textContent = "";
    each(document, ".side .rooms a", function (link) {
      var dt = document.createElement("dt"), kbd = document.createElement("kbd"), dd = document.createElement("dd");
      kbd.textContent = "g " + link.dataset.key;
      dd.textContent = link.firstChild.textContent.trim();
      dt.appendChild(kbd);
      list.appendChild(dt);
      list.appendChild(dd);
    });
    dialog.showModal();
  }

  addEventListener("resize", function () {
    each(document, ".plot", function (figure) {
      if (figure.plot) { figure.plot.setSize({ width: Math.max(260, figure.clientWidth), height: 190 }); }
    });
  });
  document.addEventListener("htmx:after:swap", function () { wake(document); });
  wake(document);
})();
