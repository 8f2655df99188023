package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// canvas builds one inline SVG picture. Styles come from the classes of the page.
type canvas struct {
	text strings.Builder
}

// newCanvas starts a picture of a size in pixels; label describes it to those who cannot see.
func newCanvas(width, height float64, label string) *canvas {
	c := &canvas{}
	c.add(`<svg viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`,
		width, height, width, height, html.EscapeString(label))
	return c
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.text, format+"\n", args...) }

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.add(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (c *canvas) write(class string, x, y float64, text string) {
	c.add(`<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x, y, html.EscapeString(text))
}

func (c *canvas) bar(class, color string, x, y, width, height float64) {
	c.add(`<rect class="%s" fill="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`,
		class, color, x, y, math.Max(0, width), height)
}

// dot draws a dot that tells its value when it is pointed at.
func (c *canvas) dot(class, color string, x, y, radius float64, hint string) {
	c.add(`<circle class="%s" fill="%s" cx="%.1f" cy="%.1f" r="%.1f"><title>%s</title></circle>`,
		class, color, x, y, radius, html.EscapeString(hint))
}

func (c *canvas) path(class, color string, points [][2]float64) {
	var d strings.Builder
	for i, p := range points {
		fmt.Fprintf(&d, "%c%.1f %.1f", "ML"[min(i, 1)], p[0], p[1])
	}
	c.add(`<path class="%s" stroke="%s" d="%s"/>`, class, color, d.String())
}

func (c *canvas) end() string {
	c.add("</svg>")
	return c.text.String()
}

// scale maps values to pixels, linearly or by logarithm.
type scale struct {
	low, high  float64 // Values.
	start, end float64 // Pixels.
	log        bool
}

func (s scale) at(value float64) float64 {
	low, high := s.low, s.high
	if s.log {
		low, high, value = math.Log(low), math.Log(high), math.Log(value)
	}
	if high == low {
		return s.start
	}
	share := (value - low) / (high - low)
	return s.start + min(max(share, 0), 1)*(s.end-s.start)
}

// ticks returns round values within the scale: 1, 2 or 5 times a power of ten apart, about five
// of them, or decades if the scale spans several.
func (s scale) ticks() (values []float64) {
	if !(s.high > s.low) {
		return []float64{s.low}
	}
	if s.log && s.high/s.low > 6 {
		return s.logTicks()
	}
	const wanted = 5
	step := math.Pow(10, math.Floor(math.Log10((s.high-s.low)/wanted)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (s.high-s.low)/(step*factor) <= wanted {
			step *= factor
			break
		}
	}
	for i := math.Ceil(s.low / step); i*step <= s.high*(1+1e-9); i++ {
		values = append(values, i*step)
	}
	return values
}

// ticksIn returns values that are round as multiples of a unit.
func (s scale) ticksIn(unit float64) []float64 {
	s.low, s.high = s.low/unit, s.high/unit
	values := s.ticks()
	for i := range values {
		values[i] *= unit
	}
	return values
}

func (s scale) logTicks() (values []float64) {
	factors := []float64{1, 2, 5}
	if s.high/s.low > 1000 {
		factors = factors[:1]
	}
	first := math.Floor(math.Log10(s.low))
	for exponent := first; exponent <= math.Log10(s.high); exponent++ {
		for _, factor := range factors {
			value := factor * math.Pow(10, exponent)
			if value >= s.low*(1-1e-9) && value <= s.high*(1+1e-9) {
				values = append(values, value)
			}
		}
	}
	return values
}
